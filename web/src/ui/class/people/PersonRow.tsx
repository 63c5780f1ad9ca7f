import { memo } from "react";
import { Button } from "react-aria-components";
import { useTranslation } from "react-i18next";
import type { ParticipantView } from "../../../protocol/types";
import { may, me } from "../../../state/select";
import { shallow } from "../../../state/store";
import { type Action, ActionMenu } from "../../parts/ActionMenu";
import { Avatar } from "../../parts/Avatar";
import { Icon } from "../../parts/Icon";
import { useClassroom, useDesk, useView } from "../context";

function usePersonActions(person: ParticipantView): (Action | null)[] {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const desk = useDesk();
  const is = useView(
    (view) => ({
      self: view.me === person.id,
      trainer: me(view)?.role === "trainer",
      main: view.main === person.id,
      stage: may(view, "manage_stage"),
      media: may(view, "moderate_media"),
      removes: may(view, "remove"),
      writes: may(view, "chat_privately"),
    }),
    shallow,
  );
  const id = person.id;
  const send = classroom.send;
  const list: (Action | null)[] = [];
  const add = (show: boolean, action: Action) => {
    if (show) list.push(action);
  };
  const line = () => {
    if (list.length > 0 && list.at(-1) !== null) list.push(null);
  };
  const below = person.role === "trainee" || (person.role === "assistant" && is.trainer);
  const { permissions } = person;
  add(is.stage && person.role === "trainee" && !person.on_stage, {
    id: "bring",
    label: t("people.bring"),
    icon: "user",
    run: () => void send({ type: "bring_on_stage", participant: id }),
  });
  add(is.stage && person.role === "trainee" && person.on_stage, {
    id: "off",
    label: t("people.off"),
    icon: "exit",
    run: () => void send({ type: "take_off_stage", participant: id }),
  });
  add(is.stage && person.on_stage, {
    id: "main",
    label: is.main ? t("people.unmakeMain") : t("people.makeMain"),
    icon: "pin",
    run: () => void send({ type: "set_main", participant: is.main ? null : id }),
  });
  add(is.writes && !is.self && person.role !== "inspector", {
    id: "write",
    label: t("people.private"),
    icon: "chat",
    run: () => desk.set({ writeTo: { id, name: person.name }, panel: "chat", side: true }),
  });
  if (is.self || !below || person.role === "inspector") return list.at(-1) === null ? list.slice(0, -1) : list;
  line();
  add(is.media && person.microphone, {
    id: "mute",
    label: t("people.mute"),
    icon: "micOff",
    run: () => void send({ type: "mute", participant: id }),
  });
  add(is.media && person.camera, {
    id: "camera",
    label: t("people.stopCamera"),
    icon: "camOff",
    run: () => void send({ type: "stop_camera", participant: id }),
  });
  add(is.media && person.screen, {
    id: "screen",
    label: t("people.stopScreen"),
    icon: "share",
    run: () => void send({ type: "stop_screen_of", participant: id }),
  });
  add(is.media, {
    id: "block-mic",
    label: permissions.microphone ? t("people.blockMic") : t("people.allowMic"),
    icon: permissions.microphone ? "micOff" : "mic",
    run: () => void send({ type: "set_permissions", participant: id, microphone: !permissions.microphone }),
  });
  add(is.media, {
    id: "block-cam",
    label: permissions.camera ? t("people.blockCam") : t("people.allowCam"),
    icon: permissions.camera ? "camOff" : "cam",
    run: () => void send({ type: "set_permissions", participant: id, camera: !permissions.camera }),
  });
  add(is.media, {
    id: "block-chat",
    label: permissions.chat ? t("people.blockChat") : t("people.allowChat"),
    icon: "chat",
    run: () => void send({ type: "set_permissions", participant: id, chat: !permissions.chat }),
  });
  if (is.removes) line();
  add(is.removes, {
    id: "remove",
    label: t("people.remove"),
    icon: "exit",
    bad: true,
    run: () => desk.set({ confirm: { kind: "remove", id, name: person.name } }),
  });
  add(is.removes, {
    id: "ban",
    label: t("people.ban"),
    icon: "ban",
    bad: true,
    run: () => desk.set({ confirm: { kind: "ban", id, name: person.name } }),
  });
  return list.at(-1) === null ? list.slice(0, -1) : list;
}

/** One person in the list, with what may be done about them. */
export const PersonRow = memo(function PersonRow({ person, hand }: { person: ParticipantView; hand: number }) {
  const { t } = useTranslation();
  const own = useView((view) => view.me === person.id);
  const actions = usePersonActions(person);
  return (
    <div className={`person ${person.present ? "" : "away"}`}>
      <Avatar id={person.id} name={person.name} />
      <div className="t">
        <b className="ellipsis" title={person.name}>
          {person.name}
          {own ? <span className="muted"> · {t("common.you")}</span> : null}
        </b>
        {person.role === "trainee" && person.present && !person.imitates ? null : (
          <span className={`ellipsis ${person.imitates ? "imitates" : ""}`}>
            {person.imitates ? t("people.imitates") : person.present ? t(`role.${person.role}`) : t("people.away")}
          </span>
        )}
      </div>
      {hand > 0 ? (
        <span className="hand-mark num">
          <Icon name="hand" className="i14" />
          {hand}
        </span>
      ) : null}
      {person.permissions.chat ? null : <Icon name="ban" className="i16 faint" />}
      {person.on_stage ? (
        <>
          <span className={person.camera ? "mark" : "mark off"} title={person.camera ? t("people.camOn") : undefined}>
            <Icon name={person.camera ? "cam" : "camOff"} className="i16" />
          </span>
          <span className={person.microphone ? "mark" : "mark off"} title={person.microphone ? t("people.micOn") : t("people.micOff")}>
            <Icon name={person.microphone ? "mic" : "micOff"} className="i16" />
          </span>
        </>
      ) : null}
      {actions.length > 0 ? (
        <ActionMenu
          label={t("people.actions", { name: person.name })}
          actions={actions}
          trigger={
            <Button className="btn ghost icon-only" aria-label={t("people.actions", { name: person.name })}>
              <Icon name="more" className="i16 bold" />
            </Button>
          }
        />
      ) : null}
    </div>
  );
});
