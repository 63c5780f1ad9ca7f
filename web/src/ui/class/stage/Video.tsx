import { useEffect, useRef } from "react";
import { useClassroom } from "../context";

interface Props {
  stream: MediaStream;
  /** Where it arrives from; null for what is made here. */
  mid?: string | null;
  fit: "cover" | "contain";
  mirror?: boolean;
  /** Not shown now; its place is kept. */
  held?: boolean;
  label: string;
}

/** Keeps what a video shows now, where it shows something. */
function keep(video: HTMLVideoElement, still: HTMLCanvasElement): void {
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || video.videoWidth === 0) return;
  still.width = video.videoWidth;
  still.height = video.videoHeight;
  still.getContext("2d")?.drawImage(video, 0, 0);
  still.hidden = false;
}

function letGo(still: HTMLCanvasElement): void {
  still.hidden = true;
  still.width = 0;
}

/**
 * One stream, silent: sound has its own elements, so that turning a page of the gallery never cuts a voice. When the picture comes from
 * somewhere else, the last one stays until the next is there.
 */
export function Video({ stream, mid = null, fit, mirror = false, held = false, label }: Props) {
  const { media } = useClassroom();
  const video = useRef<HTMLVideoElement>(null);
  const still = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = video.current;
    const last = still.current;
    if (!element || !last) return;
    const arrived = () => letGo(last);
    element.addEventListener("loadeddata", arrived);
    element.srcObject = stream;
    void element.play().catch(() => undefined);
    return () => {
      element.removeEventListener("loadeddata", arrived);
      keep(element, last);
      element.srcObject = null;
    };
  }, [stream]);
  useEffect(() => (mid !== null && video.current ? media.look(mid, video.current) : undefined), [media, mid]);
  const look = `video ${fit} ${mirror ? "mirror" : ""} ${held ? "held" : ""}`;
  return (
    <>
      <video ref={video} className={look} autoPlay muted playsInline aria-label={label} />
      <canvas ref={still} className={look} width={0} hidden />
    </>
  );
}
