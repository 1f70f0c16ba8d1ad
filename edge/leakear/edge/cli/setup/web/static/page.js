// The setup page: asks the node with JSON, shows the level by asking four times a second.
const $ = (selector) => document.querySelector(selector);
const form = $("#form"), door = $("#door");
let token = "", texts = {}, shown = [];

const t = (key, values = {}) => (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

async function speak(language) {
  texts = await (await fetch(`/${language}.json`)).json();
  document.documentElement.lang = language;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const [element, key, values] of shown) element.textContent = t(key, values);
}

/** Show a text that follows the language. */
function say(element, key, values) {
  shown = shown.filter(([other]) => other !== element);
  if (key) shown.push([element, key, values]);
  element.textContent = key ? t(key, values) : "";
}

/** Ask the node. */
async function ask(name, given = {}) {
  const headers = { "Content-Type": "application/json", "X-Leakear-Setup": token };
  try {
    return await (await fetch(`/ask/${name}`, { method: "POST", headers, body: JSON.stringify(given) })).json();
  } catch {
    return { error: t("ended") };
  }
}

function errorOf(key) {
  return document.querySelector(`[data-error="${key}"]`) ?? $('[data-error="all"]');
}

function complain({ error, key }) {
  for (const element of form.querySelectorAll("[data-error]")) say(element, "");
  for (const input of form.elements) input.removeAttribute?.("aria-invalid");
  if (!error) return false;
  errorOf(key ?? "all").textContent = error;
  const input = key && form.elements[key];
  if (input) { input.setAttribute("aria-invalid", "true"); input.focus(); }
  return true;
}

door.addEventListener("submit", async (event) => {
  event.preventDefault();
  const found = await ask("open", { code: door.elements.code.value });
  if (!found.token) {
    if (found.error === "code") say(errorOf("code"), "code.wrong", { left: found.left });
    else errorOf("code").textContent = found.error;
    return;
  }
  token = found.token;
  door.hidden = true;
  form.hidden = false;
  await fill();
  form.elements.site.focus();
  listen();
});

async function fill() {
  const found = await ask("state");
  if (complain(found)) return;
  for (const key of ["site", "name", "broker", "user"]) form.elements[key].value ||= found.before[key] ?? "";
  const select = form.elements.device, chosen = select.value || found.before.device;
  const first = new Option(t("device.default"), "");
  first.dataset.text = "device.default";
  select.replaceChildren(first, ...found.devices.map((device) => new Option(device.text, device.name)));
  select.value = found.devices.some((device) => device.name === chosen) ? chosen : found.devices[0]?.name ?? "";
}

/** Show the level of the chosen microphone, again and again. */
async function listen() {
  while ($("#done").hidden) {
    const found = await ask("level", { device: form.elements.device.value });
    const level = $("#level");
    $("#meter").value = found.share ?? 0;
    if (found.dbfs != null) { say(level, ""); level.textContent = `${found.dbfs.toLocaleString(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 })} dBFS`; }
    else if (found.fault === "digital_silence") say(level, "silence");
    else if (found.sentence) say(level, "nosound", { sentence: found.sentence });
    else if (found.error) { say(level, ""); level.textContent = found.error; }
    else say(level, "meter.wait");
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function given() {
  const said = Object.fromEntries(["site", "name", "device", "broker", "user", "password"].map((key) => [key, form.elements[key].value]));
  const file = form.elements.ca.files[0];
  const bytes = file ? new Uint8Array(await file.slice(0, 262144).arrayBuffer()) : [];
  return { ...said, ca: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  $("#change").hidden = true;
  say($("#tried"), "trying");
  const found = await ask("try", await given());
  say($("#tried"), "");
  if (complain(found)) return;
  if (found.ok) say($("#tried"), "try.ok");
  else $("#tried").textContent = found.broker;
  say($("#difference"), found.difference ? "" : "change.none");
  if (found.difference) $("#difference").textContent = found.difference;
  $("#change").hidden = false;
  $("#write").focus();
});

form.addEventListener("input", () => { $("#change").hidden = true; });

$("#write").addEventListener("click", async () => {
  say($("#tried"), "writing");
  $("#write").disabled = true;
  const found = await ask("write", await given());
  $("#write").disabled = false;
  say($("#tried"), "");
  if (complain(found)) return;
  form.hidden = true;
  say($("#alert"), found.ok ? "alert.ok" : "alert.failed", { why: found.alert });
  if (found.copies.length) say($("#copies"), "kept", { file: found.copies.join(", ") });
  $("#next").textContent = found.next;
  $("#done").hidden = false;
  $("#done").focus();
});

$("#again").addEventListener("click", fill);
$("#look").addEventListener("click", async () => {
  say($("#found"), "trying");
  const found = await ask("brokers");
  say($("#found"), found.brokers?.length ? "" : "found.none");
  $("#brokers").replaceChildren(...(found.brokers ?? []).map((url) => new Option(url, url)));
  if (found.brokers?.length) { $("#found").textContent = found.brokers.join(", "); form.elements.broker.value ||= found.brokers[0]; }
});
$("#language").addEventListener("change", ({ target }) => speak(target.value));
$("#language").value = navigator.language.startsWith("pt") ? "pt-BR" : "en";
await speak($("#language").value);
door.elements.code.focus();
