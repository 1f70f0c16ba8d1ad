// A sound and a browser notification for what must not be missed, and a toast for whoever is looking.
import { ICONS, address, h, icon } from "./dom.js";
import { sentence, t } from "./i18n.js";
import { me, now, on } from "./store.js";
import { badge, look, subject, word } from "./states.js";
import { acknowledge } from "./alerts.js";

const SHOWN_MS = 30000;
let sound = null;

/** The bell in the header: a browser plays sound and asks leave for notifications only after a click. */
export function bell() {
  const button = h("button.icon", { onclick: () => toggle() });
  const draw = () => {
    const armed = localStorage.getItem("leakear.alarm") === "yes";
    button.replaceChildren(icon(armed ? ICONS.bell : ICONS.bellOff), h("span.hidden-text", null, t("alarm")));
    button.setAttribute("aria-pressed", String(armed));
    button.title = t(armed ? "alarm.on" : "alarm.off");
  };
  const toggle = () => {
    const armed = localStorage.getItem("leakear.alarm") !== "yes";
    localStorage.setItem("leakear.alarm", armed ? "yes" : "no");
    if (armed) { ring(1); globalThis.Notification?.requestPermission(); }
    draw();
  };
  draw();
  return button;
}

/** Toasts for new alerts; with the bell armed also a sound and a notification, unless their node is muted. */
export function toasts(go) {
  const place = h("div.toasts", { role: "alert" });
  on("alert", ({ row }) => { if (row.acknowledged) place.querySelector(`[data-id="${CSS.escape(row.id)}"]`)?.remove(); });
  on("events", ({ rows }) => {
    const alarming = rows.filter((row) => row.alert && (row.held !== "held" || row.quiet === "mute")); // one of a muted node is shown, without sound
    for (const row of alarming) toast(place, row, go);
    const waking = alarming.filter((row) => !(row.muted > now()));
    if (waking.length && localStorage.getItem("leakear.alarm") === "yes") {
      ring(3);
      waking.forEach(notify);
    }
  });
  return place;
}

function toast(place, row, go) {
  const path = `/node/${encodeURIComponent(row.site)}/${encodeURIComponent(row.node)}`;
  const element = h("div.toast", { "data-look": look(subject(row)), "data-id": row.id },
    h("div.row", null, badge(subject(row)), h("a", { href: path, onclick: (e) => { e.preventDefault(); go(path); } }, `${row.node} · ${row.site}`)),
    h("div", null, sentence(row.reason)), h("div.dim", null, t(`alert.do.${subject(row)}`)),
    h("div.row", null, me.operates ? h("button", { onclick: () => { acknowledge(row.id); element.remove(); } }, t("acknowledge")) : null,
      h("button", { onclick: () => element.remove() }, t("close"))));
  place.append(element);
  while (place.children.length > (innerWidth < 720 ? 2 : 4)) place.firstChild.remove();
  setTimeout(() => element.remove(), SHOWN_MS);
}

function notify(row) {
  if (globalThis.Notification?.permission !== "granted") return;
  new Notification(`leakear: ${word(subject(row))}`, { body: `${row.node} · ${row.site}\n${sentence(row.reason)}\n${t(`alert.do.${subject(row)}`)}`, tag: row.id, icon: address("/static/icon.svg") });
}

/** Two falling tones, like a drop. */
function ring(times) {
  sound ??= new AudioContext();
  for (let n = 0; n < times * 2; n++) {
    const tone = sound.createOscillator();
    const volume = sound.createGain();
    const start = sound.currentTime + n * 0.22 + Math.floor(n / 2) * 0.25;
    tone.frequency.setValueAtTime(n % 2 ? 660 : 990, start);
    volume.gain.setValueAtTime(0.0001, start);
    volume.gain.exponentialRampToValueAtTime(0.3, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.2);
    tone.connect(volume).connect(sound.destination);
    tone.start(start);
    tone.stop(start + 0.22);
  }
}
