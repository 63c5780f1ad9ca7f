import { memo } from "react";
import { useTranslation } from "react-i18next";
import { PAUSED, type Slot, slotOf } from "../../../media/slots";
import type { ParticipantView } from "../../../protocol/types";
import type { ClassState } from "../../../state/classroom";
import { isStaffRole } from "../../../state/select";
import { Avatar, colourOf } from "../../parts/Avatar";
import { Icon } from "../../parts/Icon";
import { useClass } from "../context";
import { Held } from "./Held";
import { Video } from "./Video";

/** What carries this person's camera to us; nothing carries one's own. */
function cameraSlot(state: ClassState, id: string): Slot | null {
  return state.view?.me === id ? null : slotOf(state.media.slots, id, "camera");
}

/** The person's picture as it can be shown here: one's own from the device, others' from the slot that carries them. */
function cameraOf(state: ClassState, id: string): MediaStream | null {
  if (state.view?.me === id) return state.media.localCamera;
  return state.media.streams[cameraSlot(state, id)?.mid ?? ""] ?? null;
}

interface Props {
  person: ParticipantView;
  large?: boolean;
  /** Place in the queue of hands, from 1; 0 = no hand up. */
  hand?: number;
}

/** One person on stage. */
export const Tile = memo(function Tile({ person, large = false, hand = 0 }: Props) {
  const { t } = useTranslation();
  const own = useClass((state) => state.view?.me === person.id);
  const stream = useClass((state) => (person.camera ? cameraOf(state, person.id) : null));
  const mid = useClass((state) => cameraSlot(state, person.id)?.mid ?? null);
  const held = useClass((state) => person.camera && cameraSlot(state, person.id)?.layer === PAUSED);
  const talking = useClass((state) => person.microphone && state.live.speakers.includes(person.id));
  const badge = isStaffRole(person.role) ? t(`role.${person.role}`) : null;
  const name = own ? `${person.name} · ${t("common.you")}` : person.name;
  return (
    <figure
      className={`tile ${talking ? "talking" : ""} ${large ? "large" : ""}`}
      style={{ "--hue": colourOf(person.id) } as React.CSSProperties}
    >
      <Avatar id={person.id} name={person.name} />
      {held ? <Held /> : null}
      {stream ? <Video stream={stream} mid={mid} fit="cover" mirror={own} held={held} label={person.name} /> : null}
      {hand > 0 ? (
        <span className="hand-badge num">
          <Icon name="hand" className="i14" />
          {hand}
          <span className="sr">{t("people.handUp")}</span>
        </span>
      ) : null}
      <figcaption className="cap">
        {person.microphone ? null : (
          <span className="muted-mark">
            <Icon name="micOff" className="i14" />
            <span className="sr">{t("people.micOff")}</span>
          </span>
        )}
        {badge ? <span className="badge">{badge}</span> : null}
        <span className="ellipsis">{name}</span>
      </figcaption>
    </figure>
  );
});
