import { useEffect, useRef } from "react";

/** One stream, silent: sound has its own elements, so that turning a page of the gallery never cuts a voice. */
export function Video({
  stream,
  fit,
  mirror = false,
  label,
}: {
  stream: MediaStream;
  fit: "cover" | "contain";
  mirror?: boolean;
  label: string;
}) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const element = video.current;
    if (!element) return;
    element.srcObject = stream;
    void element.play().catch(() => undefined);
    return () => {
      element.srcObject = null;
    };
  }, [stream]);
  return <video ref={video} className={`video ${fit} ${mirror ? "mirror" : ""}`} autoPlay muted playsInline aria-label={label} />;
}
