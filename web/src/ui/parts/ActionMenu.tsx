import type { ReactElement } from "react";
import { Menu, MenuItem, MenuTrigger, Popover, type PopoverProps, Separator } from "react-aria-components";
import { Icon, type IconName } from "./Icon";
import "../styles/modal.css";

export interface Action {
  id: string;
  label: string;
  icon: IconName;
  bad?: boolean;
  disabled?: boolean;
  keys?: string;
  run: () => void;
}

/** A button's menu; `null` in the list draws a line. The trigger must be a react-aria Button. */
export function ActionMenu({
  label,
  actions,
  trigger,
  placement = "bottom end",
}: {
  label: string;
  actions: (Action | null)[];
  trigger: ReactElement;
  placement?: PopoverProps["placement"];
}) {
  let line = 0;
  return (
    <MenuTrigger>
      {trigger}
      <Popover className="popover" placement={placement} offset={6}>
        <Menu className="menu" aria-label={label} onAction={(key) => actions.find((each) => each?.id === key)?.run()}>
          {actions.map((each) =>
            each ? (
              <MenuItem
                key={each.id}
                id={each.id}
                className={`menu-item ${each.bad ? "bad" : ""}`}
                textValue={each.label}
                isDisabled={each.disabled}
              >
                <Icon name={each.icon} />
                <span>{each.label}</span>
                {each.keys ? <kbd>{each.keys}</kbd> : null}
              </MenuItem>
            ) : (
              <Separator key={`line-${line++}`} className="menu-line" />
            ),
          )}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
