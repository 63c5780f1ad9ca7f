/** Still pictures and a steady tone in place of devices, so that two runs draw the same. */

function draw(width: number, height: number, paint: (context: CanvasRenderingContext2D) => void): MediaStream {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  paint(context);
  const stream = canvas.captureStream(10);
  // A still canvas sends one frame and a late video element would miss it.
  setInterval(() => paint(context), 100);
  return stream;
}

export function portrait(hue: number): MediaStream {
  return draw(640, 360, (context) => {
    const back = context.createLinearGradient(0, 0, 640, 360);
    back.addColorStop(0, `hsl(${hue} 24% 42%)`);
    back.addColorStop(1, `hsl(${hue} 28% 18%)`);
    context.fillStyle = back;
    context.fillRect(0, 0, 640, 360);
    context.fillStyle = `hsl(${hue + 18} 20% 60%)`;
    context.beginPath();
    context.ellipse(320, 372, 170, 150, 0, 0, Math.PI * 2);
    context.fill();
    context.fillStyle = `hsl(${hue + 30} 26% 74%)`;
    context.beginPath();
    context.arc(320, 160, 74, 0, Math.PI * 2);
    context.fill();
  });
}

export function slide(title: string, lines: string[]): MediaStream {
  return draw(1280, 720, (context) => {
    context.fillStyle = "#fdfdfb";
    context.fillRect(0, 0, 1280, 720);
    context.fillStyle = "#0f7b66";
    context.fillRect(80, 96, 12, 64);
    context.fillStyle = "#1b2522";
    context.font = "700 58px 'Noto Sans CJK SC', sans-serif";
    context.fillText(title, 116, 150);
    context.fillStyle = "#42504b";
    context.font = "400 34px 'Noto Sans CJK SC', sans-serif";
    for (const [i, line] of lines.entries()) context.fillText(`•  ${line}`, 116, 260 + i * 72);
  });
}

function tone(): MediaStream {
  const context = new AudioContext();
  const note = context.createOscillator();
  const gain = context.createGain();
  gain.gain.value = 0.06;
  const target = context.createMediaStreamDestination();
  note.connect(gain).connect(target);
  note.start();
  return target.stream;
}

const DEVICES = [
  ["videoinput", "cam1", "Integrated Camera 720p"],
  ["videoinput", "cam2", "USB Document Camera"],
  ["audioinput", "mic1", "Headset Microphone"],
  ["audiooutput", "out1", "Headset"],
].map(([kind, deviceId, label]) => ({ kind, deviceId, label, groupId: "" }) as MediaDeviceInfo);

/** `ok`, or the name of the error that opening a device ends with. */
export function installDevices(mode: string): void {
  const media = navigator.mediaDevices;
  media.enumerateDevices = async () => (mode === "NotFoundError" ? [] : DEVICES);
  media.getUserMedia = async (constraints) => {
    if (mode !== "ok") throw new DOMException("", mode);
    const stream = constraints?.video ? portrait(165) : tone();
    for (const track of stream.getTracks()) track.getSettings = () => ({ deviceId: track.kind === "video" ? "cam1" : "mic1" });
    for (const track of stream.getAudioTracks()) Object.defineProperty(track, "label", { value: "Headset Microphone" });
    return stream;
  };
}
