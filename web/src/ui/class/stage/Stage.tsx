import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { PAUSED, type Slot, slotOf } from "../../../media/slots";
import type { RoomView } from "../../../protocol/types";
import type { ClassState } from "../../../state/classroom";
import { mainPerson, person, stagePeople } from "../../../state/select";
import { shallow } from "../../../state/store";
import { Avatar } from "../../parts/Avatar";
import { Icon } from "../../parts/Icon";
import { useClass, useClassroom, useDesk, useDeskState, useView } from "../context";
import { Gallery } from "./Gallery";
import { Held, HeldAloud } from "./Held";
import { PhaseCard } from "./PhaseCard";
import { Speakers } from "./Speakers";
import { Strip } from "./Strip";
import { Tile } from "./Tile";
import { useNarrow } from "./useNarrow";
import { Video } from "./Video";
import "./tile.css";
import "./stage.css";

export type Layout = "screen" | "speaker" | "gallery" | "empty" | "phase";

/** What the middle of the page shows. */
export function layoutOf(view: RoomView, wanted: "auto" | "gallery" | "speaker"): Layout {
  if (view.session.phase === "break") return "phase";
  if (view.screen) return "screen";
  const people = stagePeople(view);
  const sounding = people.some((each) => each.camera || each.microphone);
  if ((view.session.phase === "scheduled" || view.session.phase === "lobby") && !sounding) return "phase";
  if (people.length === 0) return "empty";
  if (wanted !== "auto") return wanted;
  if (view.main) return "speaker";
  return view.session.profile === "small" && people.length > 1 ? "gallery" : "speaker";
}

function screenSlot({ view, media }: ClassState): Slot | null {
  return view?.screen && view.screen !== view.me ? slotOf(media.slots, view.screen, "screen") : null;
}

function screenStream(state: ClassState): MediaStream | null {
  const { view, media } = state;
  return view?.screen && view.screen === view.me ? media.localScreen : (media.streams[screenSlot(state)?.mid ?? ""] ?? null);
}

function Screen() {
  const { t } = useTranslation();
  const { media } = useClassroom();
  const stream = useClass(screenStream);
  const mid = useClass((state) => screenSlot(state)?.mid ?? null);
  const held = useClass((state) => screenSlot(state)?.layer === PAUSED);
  const who = useView(
    (view) => ({ id: view.screen ?? "", name: person(view, view.screen)?.name ?? "", own: view.screen === view.me }),
    shallow,
  );
  return (
    <>
      {held ? (
        <div className="held-screen">
          <Avatar id={who.id} name={who.name} />
          <Held />
        </div>
      ) : null}
      {stream ? (
        <Video stream={stream} mid={mid} fit="contain" held={held} label={t("class.screenOf", { name: who.name })} />
      ) : (
        <div className="spin" />
      )}
      <div className="screen-mark">
        <span className="chip">
          <Icon name="share" className="i14" />
          {who.own ? t("class.youShare") : t("class.sharing", { name: who.name })}
        </span>
        {who.own ? (
          <button type="button" className="btn sm danger solid" onClick={() => void media.setScreen(false)}>
            {t("class.stopShare")}
          </button>
        ) : null}
      </div>
    </>
  );
}

function Tools({ root, layout }: { root: React.RefObject<HTMLElement | null>; layout: Layout }) {
  const { t } = useTranslation();
  const desk = useDesk();
  const full = () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void root.current?.requestFullscreen?.().catch(() => undefined);
  };
  return (
    <div className="stage-tools">
      {layout === "gallery" || layout === "speaker" ? (
        <button
          type="button"
          aria-label={layout === "gallery" ? t("class.layoutSpeaker") : t("class.layoutGallery")}
          title={layout === "gallery" ? t("class.layoutSpeaker") : t("class.layoutGallery")}
          onClick={() => desk.set({ layout: layout === "gallery" ? "speaker" : "gallery" })}
        >
          <Icon name={layout === "gallery" ? "focus" : "grid"} className="i18" />
        </button>
      ) : null}
      <button type="button" className="hide-s" aria-label={t("class.fullscreen")} title={t("class.fullscreen")} onClick={full}>
        <Icon name="full" className="i18" />
      </button>
    </div>
  );
}

/** The middle of the class: a shared screen, one person large, or everybody. */
export function Stage() {
  const { t } = useTranslation();
  const root = useRef<HTMLElement>(null);
  const narrow = useNarrow();
  const wanted = useDeskState((desk) => desk.layout);
  const layout = useView((view) => layoutOf(view, wanted));
  const people = useView(stagePeople, shallow);
  const main = useView((view, state) => mainPerson(view, state.live.speakers));
  const beside = layout === "screen" ? people : layout === "speaker" ? people.filter((each) => each.id !== main?.id) : [];
  return (
    <div className={`stage-area as-${layout} ${beside.length > 0 ? "with-strip" : ""}`}>
      <section ref={root} className={`stage ${layout === "phase" ? "calm" : ""}`} aria-label={t("class.stageRegion")}>
        {layout === "phase" ? <PhaseCard /> : null}
        {layout === "screen" ? <Screen /> : null}
        {layout === "gallery" ? <Gallery people={people} narrow={narrow} /> : null}
        {layout === "speaker" && main ? <Tile person={main} large /> : null}
        {layout === "empty" ? (
          <div className="empty dark">
            <b>{t("class.emptyStage")}</b>
            <span>{t("class.emptyStageHint")}</span>
          </div>
        ) : null}
        {layout === "phase" || (narrow && layout === "screen") ? null : <Tools root={root} layout={layout} />}
        {layout === "phase" ? null : <Speakers />}
        <HeldAloud />
      </section>
      {beside.length > 0 ? <Strip people={beside} narrow={narrow} /> : null}
    </div>
  );
}
