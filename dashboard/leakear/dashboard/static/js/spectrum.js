// Pictures of sound: the live waterfall of a node, and the spectrogram of a clip, computed here in the browser.
import { address, h } from "./dom.js";
import { number, t } from "./i18n.js";

const COLUMNS = 240;
const SIZE = 1024;

/** A perceptually even ramp from black over blue and orange to white. */
const RAMP = Array.from({ length: 256 }, (_, i) => {
  const stops = [[0, 4, 10], [20, 30, 82], [98, 32, 110], [186, 55, 84], [240, 121, 30], [250, 200, 70], [255, 253, 220]];
  const at = (i / 255) * (stops.length - 1);
  const n = Math.min(Math.floor(at), stops.length - 2);
  return stops[n].map((v, c) => Math.round(v + (stops[n + 1][c] - v) * (at - n)));
});

function paint(image, column, height, value) {
  for (let y = 0; y < height; y++) {
    const [r, g, b] = RAMP[Math.max(0, Math.min(255, Math.round(value(height - 1 - y) * 255)))];
    const at = (y * image.width + column) * 4;
    image.data[at] = r; image.data[at + 1] = g; image.data[at + 2] = b; image.data[at + 3] = 255;
  }
}

/** Live spectra, the newest at the right. */
export class Waterfall {
  constructor() {
    this.canvas = h("canvas", { width: COLUMNS, height: 64, role: "img", "aria-label": t("spectrum.live") });
    this.wait = h("div.wait", null, t("spectrum.wait"));
    this.high = h("span.axis.high");
    this.low = h("span.axis.low");
    this.element = h("div.waterfall", { "data-count": "0" }, this.canvas, this.high, this.low, this.wait);
    this.count = 0;
    this.range = null;
  }

  add({ low_hz: low, high_hz: high, db }) {
    const pen = this.canvas.getContext("2d");
    const [least, most] = [Math.min(...db), Math.max(...db)];
    this.range = this.range ? [Math.min(this.range[0] + 0.05, least), Math.max(this.range[1] - 0.05, most)] : [least, most];
    const reach = Math.max(12, this.range[1] - this.range[0]);
    pen.drawImage(this.canvas, -1, 0);
    const image = pen.createImageData(1, db.length);
    paint(image, 0, db.length, (i) => (db[i] - this.range[0]) / reach);
    pen.putImageData(image, COLUMNS - 1, 0);
    this.high.textContent = `${number(high)} Hz`;
    this.low.textContent = `${number(low)} Hz`;
    this.wait.hidden = true;
    this.count += 1;
    this.element.dataset.count = String(this.count);
  }
}

/** The sound of an event with its spectrogram. */
export function clipPlayer(id) {
  const source = `/api/alerts/${encodeURIComponent(id)}/clip?family=audio`;
  const canvas = h("canvas", { width: 600, height: 256, role: "img", "aria-label": t("spectrum.clip") });
  const high = h("span.axis.high");
  const low = h("span.axis.low", null, "0 Hz");
  const wait = h("div.wait", null, t("spectrum.working"));
  const box = h("div.waterfall", null, canvas, high, low, wait);
  const audio = h("audio", { controls: true, preload: "auto", src: source });
  picture(source, canvas).then((top) => { high.textContent = `${number(top)} Hz`; wait.hidden = true; box.dataset.drawn = "yes"; })
    .catch((error) => { wait.textContent = t("spectrum.failed", { why: error.message }); });
  return h("div.clip", null, audio, box);
}

async function picture(source, canvas) {
  const answer = await fetch(address(source));
  if (!answer.ok) throw new Error(String(answer.status));
  const bytes = await answer.arrayBuffer();
  const rate = Math.min(Math.max(sampleRate(new DataView(bytes)), 3000), 96000);
  const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  draw(sound.getChannelData(0), canvas);
  return sound.sampleRate / 2;
}

/** Sampling rate from a FLAC or WAV header: the decoder would otherwise resample to the sound card's. */
function sampleRate(view) {
  if (view.byteLength > 42 && view.getUint32(0) === 0x664c6143) return view.getUint32(18) >>> 12;
  return view.byteLength > 28 ? view.getUint32(24, true) : 22050;
}

function draw(samples, canvas) {
  const hop = Math.max(1, Math.floor((samples.length - SIZE) / canvas.width));
  const columns = Math.max(1, Math.min(canvas.width, Math.floor((samples.length - SIZE) / hop) + 1));
  const spectra = Array.from({ length: columns }, (_, c) => magnitudes(samples, c * hop));
  const top = Math.max(-200, ...spectra.map((s) => Math.max(...s)));
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(canvas.width, canvas.height);
  const bins = SIZE / 2 / canvas.height;
  for (let x = 0; x < canvas.width; x++) {
    const spectrum = spectra[Math.min(columns - 1, Math.floor((x / canvas.width) * columns))];
    paint(image, x, canvas.height, (i) => {
      let most = -300;
      for (let n = Math.floor(i * bins); n < Math.max((i + 1) * bins, i * bins + 1); n++) most = Math.max(most, spectrum[n]);
      return (most - top + 75) / 75;
    });
  }
  pen.putImageData(image, 0, 0);
}

/** Decibels of the SIZE / 2 lower bins: radix-2 FFT of one Hann window. */
function magnitudes(samples, start) {
  const re = new Float32Array(SIZE);
  const im = new Float32Array(SIZE);
  for (let n = 0; n < SIZE; n++) {
    let reversed = 0;
    for (let bit = 1, rest = n; bit < SIZE; bit <<= 1, rest >>= 1) reversed = (reversed << 1) | (rest & 1);
    re[reversed] = (samples[start + n] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / SIZE));
  }
  for (let half = 1; half < SIZE; half <<= 1) {
    for (let k = 0; k < half; k++) {
      const [c, s] = [Math.cos((-Math.PI * k) / half), Math.sin((-Math.PI * k) / half)];
      for (let i = k; i < SIZE; i += half << 1) {
        const [x, y] = [re[i + half] * c - im[i + half] * s, re[i + half] * s + im[i + half] * c];
        re[i + half] = re[i] - x; im[i + half] = im[i] - y;
        re[i] += x; im[i] += y;
      }
    }
  }
  return Array.from({ length: SIZE / 2 }, (_, n) => 10 * Math.log10(re[n] * re[n] + im[n] * im[n] + 1e-20));
}
