import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Avatar } from "../parts/Avatar";
import { Icon } from "../parts/Icon";

/** One's own picture, mirrored as in a mirror, or what stands in for it. */
export function SelfView({ track, starting, name }: { track: MediaStreamTrack | null; starting: boolean; name: string }) {
  const { t } = useTranslation();
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = track ? new MediaStream([track]) : null;
  }, [track]);
  return (
    <>
      <video ref={video} className="mirror" autoPlay muted playsInline hidden={!track} aria-label={t("join.preview")} />
      {track ? null : (
        <div className="no-picture">
          {name ? <Avatar id={name} name={name} className="big" /> : <Icon name="user" className="big" />}
          <span>{starting ? t("join.cameraStarting") : t("join.cameraOffTitle")}</span>
        </div>
      )}
      <span className="glass tl">
        <Icon name="eye" className="i14" />
        {t("join.onlyYou")}
      </span>
    </>
  );
}
