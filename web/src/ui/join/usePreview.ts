import { useCallback, useEffect, useRef, useState } from "react";
import {
  type DeviceList,
  type DeviceProblem,
  listDevices,
  NO_DEVICES,
  openCamera,
  openMicrophone,
  problemOf,
  remember,
  remembered,
  watchDevices,
} from "../../media/devices";

type Kind = "camera" | "microphone";
type Wanted = Record<Kind, boolean>;

export interface Preview {
  tracks: Record<Kind, MediaStreamTrack | null>;
  wanted: Wanted;
  starting: boolean;
  problem: DeviceProblem | null;
  /** Wanted, and nothing known against it; a device may still be opening. */
  usable: Wanted;
  devices: DeviceList;
  chosen: Record<Kind | "speaker", string>;
  toggle(kind: Kind): void;
  choose(kind: Kind | "speaker", device: string): void;
  listen(only: boolean): void;
  again(): void;
}

const OPEN = { camera: (device: string | null) => openCamera(device, false), microphone: openMicrophone };

/** Opens camera and microphone for looking and listening to oneself; every device is released when switched off or left. */
export function usePreview(start: Wanted): Preview {
  const [wanted, setWanted] = useState(start);
  const [tracks, setTracks] = useState<Record<Kind, MediaStreamTrack | null>>({ camera: null, microphone: null });
  const [problems, setProblems] = useState<Record<Kind, DeviceProblem | null>>({ camera: null, microphone: null });
  const [pending, setPending] = useState(0);
  const [devices, setDevices] = useState(NO_DEVICES);
  const [picked, setPicked] = useState(remembered);
  const [round, setRound] = useState(0);

  useEffect(() => watchDevices(setDevices), []);

  const run = (kind: Kind, on: boolean, device: string | null) => {
    if (!on) return undefined;
    let live = true;
    let open: MediaStreamTrack | null = null;
    setPending((count) => count + 1);
    OPEN[kind](device)
      .then(
        (track) => {
          if (!live) return track.stop();
          open = track;
          setTracks((now) => ({ ...now, [kind]: track }));
          setProblems((now) => ({ ...now, [kind]: null }));
          void listDevices().then(setDevices, () => undefined);
        },
        (error: unknown) => {
          if (live) setProblems((now) => ({ ...now, [kind]: problemOf(error) }));
        },
      )
      .finally(() => setPending((count) => count - 1));
    return () => {
      live = false;
      open?.stop();
      setTracks((now) => ({ ...now, [kind]: null }));
    };
  };
  const opener = useRef(run);
  // biome-ignore lint/correctness/useExhaustiveDependencies: round asks again for a device that could not be opened
  useEffect(() => opener.current("camera", wanted.camera, picked.camera), [wanted.camera, picked.camera, round]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: round asks again for a device that could not be opened
  useEffect(() => opener.current("microphone", wanted.microphone, picked.microphone), [wanted.microphone, picked.microphone, round]);

  const idOf = (kind: Kind) => tracks[kind]?.getSettings().deviceId ?? picked[kind] ?? "";
  return {
    tracks,
    wanted,
    starting: pending > 0,
    problem:
      wanted.camera || wanted.microphone
        ? ((wanted.microphone ? problems.microphone : null) ?? (wanted.camera ? problems.camera : null))
        : null,
    usable: { camera: wanted.camera && problems.camera === null, microphone: wanted.microphone && problems.microphone === null },
    devices,
    chosen: {
      camera: wanted.camera ? idOf("camera") : "",
      microphone: wanted.microphone ? idOf("microphone") : "",
      speaker: picked.speaker ?? "",
    },
    toggle: useCallback((kind) => setWanted((now) => ({ ...now, [kind]: !now[kind] })), []),
    choose: useCallback((kind, device) => {
      if (kind !== "speaker") setWanted((now) => ({ ...now, [kind]: device !== "" }));
      if (device !== "" || kind === "speaker") {
        remember({ [kind]: device || null });
        setPicked((now) => ({ ...now, [kind]: device || null }));
      }
    }, []),
    listen: useCallback((only) => setWanted({ camera: !only, microphone: !only }), []),
    again: useCallback(() => setRound((count) => count + 1), []),
  };
}
