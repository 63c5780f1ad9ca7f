import { useState } from "react";
import { Button, Dialog, DialogTrigger, Popover } from "react-aria-components";
import { useTranslation } from "react-i18next";
import type { Reaction } from "../../protocol/types";
import { isStaff, may } from "../../state/select";
import { Icon } from "../parts/Icon";
import { ReactionIcon } from "../parts/ReactionIcon";
import { useClassroom, useView } from "./context";

const KINDS: readonly Reaction[] = ["thumbs_up", "clap", "heart", "laugh", "surprise", "yes", "no", "slower", "faster"];

export function ReactMenu() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const [open, setOpen] = useState(false);
  const shown = useView((view) => may(view, "react"));
  const allowed = useView((view) => {
    const { phase, settings } = view.session;
    if (!settings.reactions) return false;
    return isStaff(view) || ((phase === "live" || phase === "break") && !settings.frozen);
  });
  if (!shown) return null;
  return (
    <DialogTrigger isOpen={open} onOpenChange={setOpen}>
      <Button className={`c ${allowed ? "" : "blocked"}`} isDisabled={!allowed}>
        <Icon name="smile" />
        <span>{t("bar.react")}</span>
      </Button>
      <Popover className="popover" placement="top" offset={10}>
        <Dialog className="plain reactions" aria-label={t("bar.react")}>
          {KINDS.map((kind) => (
            <button
              key={kind}
              type="button"
              aria-label={t(`reaction.${kind}`)}
              title={t(`reaction.${kind}`)}
              onClick={() => {
                void classroom.send({ type: "react", reaction: kind });
                setOpen(false);
              }}
            >
              <ReactionIcon kind={kind} />
              <small>{t(`reaction.${kind}`)}</small>
            </button>
          ))}
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}
