// The part of its time span that a chart shows, and how pointers, wheel and keys change it.

const SHORTEST_S = 10;

/** A part [from, to] of a span [since, until], POSIX seconds. It follows the span until somebody zooms. */
export class Window {
  /** @param {() => void} changed called after a zoom or a move */
  constructor(changed) {
    this.changed = changed;
    this.since = 0;
    this.until = 1;
    /** @type {[number, number] | null} */
    this.chosen = null;
  }

  /**
   * Take a new span; what was chosen stays while the span has the same length and still holds it.
   * @param {number} since
   * @param {number} until
   */
  follow(since, until) {
    const same = Math.abs(until - since - (this.until - this.since)) < 0.01 * (until - since);
    Object.assign(this, { since, until });
    if (this.chosen && !(same && this.chosen[1] > since)) this.chosen = null;
  }

  /** @returns {[number, number]} */
  get shown() { return this.chosen ?? [this.since, this.until]; }

  /**
   * Show a part, as far as it lies within the span; all of it is no choice.
   * @param {number} from
   * @param {number} to
   */
  show(from, to) {
    const whole = this.until - this.since;
    const length = Math.min(Math.max(to - from, SHORTEST_S), whole);
    const start = Math.min(Math.max(from, this.since), this.until - length);
    this.chosen = length > 0.999 * whole ? null : [start, start + length];
    this.changed();
  }

  /**
   * @param {number} about POSIX seconds that stay where they are
   * @param {number} factor below 1: closer
   */
  zoom(about, factor) {
    const [from, to] = this.shown;
    this.show(about - (about - from) * factor, about + (to - about) * factor);
  }

  /** @param {number} share of what is shown, positive: later */
  move(share) {
    const [from, to] = this.shown;
    this.show(from + share * (to - from), to + share * (to - from));
  }

  all() { this.show(this.since, this.until); }
}

/**
 * Let fingers (one moves, two zoom), the mouse with Shift and the wheel with Ctrl change a window.
 * @param {HTMLElement} place whose width is what is shown
 * @param {Window} window
 */
export function hands(place, window) {
  /** @type {Map<number, { x: number, time: number }>} */
  const fingers = new Map();
  const timeAt = (/** @type {number} */ x) => { const [from, to] = window.shown; return from + (x / place.clientWidth) * (to - from); };
  const left = (/** @type {MouseEvent} */ event) => event.clientX - place.getBoundingClientRect().left;
  const hold = () => fingers.forEach((finger) => { finger.time = timeAt(finger.x); });
  const down = (/** @type {PointerEvent} */ event) => {
    place.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: left(event), time: 0 });
    hold();
  };
  const up = (/** @type {PointerEvent} */ event) => { if (fingers.delete(event.pointerId)) hold(); };
  place.style.touchAction = "pan-y";
  place.addEventListener("pointerdown", (event) => { if (event.pointerType === "touch" || event.shiftKey) down(event); });
  place.addEventListener("pointermove", (event) => {
    const finger = fingers.get(event.pointerId);
    if (!finger) return;
    finger.x = left(event);
    const [one, other] = fingers.values();
    const [from, to] = window.shown;
    const apart = other && Math.abs(other.x - one.x) > 20;
    const perPixel = apart ? (other.time - one.time) / (other.x - one.x) : (to - from) / place.clientWidth;
    if (perPixel > 0) window.show(one.time - one.x * perPixel, one.time + (place.clientWidth - one.x) * perPixel);
  });
  place.addEventListener("pointerup", up);
  place.addEventListener("pointercancel", up);
  place.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // without a key the page scrolls
    event.preventDefault();
    window.zoom(timeAt(left(event)), 1.002 ** event.deltaY);
  }, { passive: false });
}
