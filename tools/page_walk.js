// What a person sees of a page, as blocks of text. Runs in an isolated world of each frame: the page's own scripts can
// neither see it nor change what it calls. It keeps text that is displayed, large enough, in reach, not clipped, not
// covered, and of another colour than what is behind it; the rest is counted by reason. It does not know what is
// painted into pictures and canvases, fonts whose letters look like others, nor closed shadow roots.
(() => {
const SKIP = new Set(["SCRIPT", "STYLE", "TEMPLATE", "NOSCRIPT", "HEAD", "TITLE", "META", "LINK", "BASE", "PARAM", "TRACK", "SOURCE", "DATALIST"]);
const FIELDS = new Set(["text", "search", "email", "url", "tel", "number", "password", "date", "time", "month", "week", "datetime-local", "range", "color"]);
const ROLES = new Set(["button", "tab", "menuitem", "checkbox", "switch", "radio", "link", "option"]);
const LANDMARKS = {NAV: "nav", HEADER: "header", FOOTER: "footer", ASIDE: "aside", MAIN: "main", ARTICLE: "article"};
// The only unseen names that are told: of buttons that show a picture. Nothing can be ordered with these words.
const ICONS = new Set(("menu search close next previous back forward play pause stop share home cart basket login log in out sign up down " +
  "open more expand collapse settings profile account download upload print edit delete remove add save copy help info language first last page").split(" "));
const TINY = 5, FAINT = 1.25, CHARS = 400000, TABLE_CELLS = 200000;

const refs = new Map(), numbers = new WeakMap();
let S; // the snapshot being made

const clean = s => s.replace(/[\s\u200b\ufeff]+/g, " ");
const flatParent = n => n.assignedSlot || n.parentElement || (n.getRootNode() instanceof ShadowRoot ? n.getRootNode().host : null);

// --- colours ---
const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
const colours = new Map();
function colour(text) {
  let found = colours.get(text);
  if (!found) {
    const m = /^rgba?\((\d+), (\d+), (\d+)(?:, ([\d.]+))?\)$/.exec(text);
    if (m) found = [+m[1], +m[2], +m[3], m[4] === undefined ? 1 : +m[4]];
    else {
      canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = "rgba(0,0,0,0)"; canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
      const d = canvas.getImageData(0, 0, 1, 1).data; found = [d[0], d[1], d[2], d[3] / 255];
    }
    colours.set(text, found);
  }
  return found;
}
const over = (a, b) => { const k = a[3] + b[3] * (1 - a[3]); return k ? [0, 1, 2].map(i => (a[i] * a[3] + b[i] * b[3] * (1 - a[3])) / k).concat(k) : [0, 0, 0, 0]; };
const light = c => { const f = c.slice(0, 3).map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
const contrast = (a, b) => { const x = light(a), y = light(b); return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
// Two colours of the same lightness can be told apart all the same.
const differs = (a, b) => contrast(a, b) >= FAINT || Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]) > 70;
const stops = image => (image.match(/(?:rgba?|hsla?|oklch|oklab|lab|lch|color|color-mix)\([^()]*\)|#[0-9a-f]{3,8}\b/gi) || []).map(colour);

// --- what holds for an element and all in it ---
function info(el) {
  let made = S.infos.get(el);
  if (made) return made;
  const up = flatParent(el), above = up ? info(up) : {reason: "", opacity: 1, clip: null, scrolls: false, fixed: false};
  const cs = getComputedStyle(el);
  made = {reason: above.reason, opacity: above.opacity, clip: above.clip, scrolls: above.scrolls, fixed: above.fixed || cs.position === "fixed", cs};
  if (!made.reason) made.reason = unseen(el, cs, made);
  if (cs.position === "fixed") { made.clip = null; made.scrolls = false; }
  else if (cs.position === "absolute") {
    const holder = el.offsetParent; // what does not hold it does not clip it
    const held = holder && holder !== document.body && up ? info(holder) : null;
    made.clip = held ? held.clip : null; made.scrolls = held ? held.scrolls : false;
  }
  if (!made.reason && el !== document.documentElement && el !== document.body && cs.display !== "inline" && cs.display !== "contents") clips(el, cs, made);
  S.infos.set(el, made);
  return made;
}
function unseen(el, cs, made) {
  if (cs.display === "none") return "not displayed";
  if (cs.display !== "contents" && !el.checkVisibility()) return "not displayed";
  if (cs.contentVisibility === "hidden") return "not displayed";
  made.opacity *= parseFloat(cs.opacity);
  if (cs.filter !== "none") {
    const m = /opacity\(([\d.]+)(%?)\)/.exec(cs.filter); if (m) made.opacity *= m[1] / (m[2] ? 100 : 1);
    const b = /blur\(([\d.]+)px\)/.exec(cs.filter); if (b && b[1] >= 4) return "blurred";
    if (/(?:contrast|brightness)\(0(?:\.0\d*)?%?\)/.test(cs.filter)) return "same colour as what is behind it";
  }
  if (made.opacity < 0.1) return "transparent";
  if (/^(?:inset\((?:[5-9]\d|\d{3,})(?:\.\d+)?%|circle\(0(?:px|%)?[ )]|ellipse\(0|polygon\(0(?:px|%)? 0(?:px|%)?(?:, 0(?:px|%)? 0(?:px|%)?)*\))/.test(cs.clipPath)) return "clipped";
  const clip = /^rect\(([-\d.]+)px,? ([-\d.]+)px,? ([-\d.]+)px,? ([-\d.]+)px\)/.exec(cs.clip);
  if (clip && /absolute|fixed/.test(cs.position) && (clip[3] - clip[1] < 3 || clip[2] - clip[4] < 3)) return "clipped";
  const mask = cs.maskImage || cs.webkitMaskImage;
  if (mask && mask.includes("gradient")) { const found = stops(mask); if (found.length && found.every(c => c[3] < 0.1)) return "transparent"; }
  return "";
}
function clips(el, cs, made) {
  const hides = v => v === "hidden" || v === "clip", rolls = v => v === "auto" || v === "scroll";
  const x = cs.overflowX, y = cs.overflowY;
  if (!(hides(x) || hides(y) || rolls(x) || rolls(y) || cs.contain.includes("paint"))) return;
  const r = el.getBoundingClientRect(), sx = scrollX, sy = scrollY, far = 1e7;
  const box = [r.left + sx, r.top + sy, r.right + sx, r.bottom + sy];
  const rollsX = rolls(x) && el.scrollWidth > el.clientWidth + 1, rollsY = rolls(y) && el.scrollHeight > el.clientHeight + 1;
  if ((rollsX || rollsY) && r.width >= 40 && r.height >= 10) {
    made.scrolls = true;
    if (rollsX) { box[0] = -far; box[2] = far; }
    if (rollsY) { box[1] = -far; box[3] = far; }
  }
  const c = made.clip;
  made.clip = c ? [Math.max(box[0], c[0]), Math.max(box[1], c[1]), Math.min(box[2], c[2]), Math.min(box[3], c[3])] : box;
  if (made.clip[2] - made.clip[0] < 3 || made.clip[3] - made.clip[1] < 3) made.reason = "clipped";
}

// --- what holds for a piece of text ---
function judge(node) {
  const p = node.parentElement || node.getRootNode().host, i = info(p), cs = i.cs;
  if (i.reason) return i.reason;
  if (cs.visibility !== "visible") return "not displayed";
  const range = document.createRange(); range.selectNodeContents(node);
  const rects = [...range.getClientRects()].filter(r => r.width > 0.4 && r.height > 0.4);
  if (!rects.length) return "of no size";
  const text = clean(node.data).trim();
  if (Math.max(...rects.map(r => Math.min(r.height, r.width * 40))) < TINY) return "tiny";
  const wide = rects.reduce((n, r) => n + Math.max(r.width, cs.writingMode.startsWith("vertical") ? r.height : 0), 0);
  if (text.length > 8 && wide / text.length < 1) return "squeezed";
  const fill = colour(cs.webkitTextFillColor || cs.color);
  const painted = (cs.webkitBackgroundClip || cs.backgroundClip || "").includes("text") && cs.backgroundImage !== "none";
  if (fill[3] * i.opacity < 0.12 && !painted && cs.textShadow === "none") return "transparent";
  const sx = scrollX, sy = scrollY, root = document.documentElement;
  const rtl = getComputedStyle(document.body || root).direction === "rtl" || getComputedStyle(root).direction === "rtl";
  const spread = Math.max(root.scrollWidth, innerWidth);
  const far = Math.min(spread, innerWidth * 3), left = rtl ? innerWidth - far : 0, right = rtl ? innerWidth : far;
  const seen = rects.filter(r => {
    if (i.scrolls) return true;
    const x = i.fixed ? 0 : sx, y = i.fixed ? 0 : sy;
    const inX = r.right + x > left + 1 && r.left + x < (i.fixed ? innerWidth : right) - 1;
    return inX && r.bottom + y > 1 && (!i.fixed || r.top < innerHeight - 1);
  });
  if (!seen.length) return "off screen";
  let kept = null;
  if (i.clip) {
    const inside = r => [Math.max(r.left + sx, i.clip[0]), Math.max(r.top + sy, i.clip[1]), Math.min(r.right + sx, i.clip[2]), Math.min(r.bottom + sy, i.clip[3])];
    const share = r => { const c = inside(r); return Math.max(0, c[2] - c[0]) * Math.max(0, c[3] - c[1]) / (r.width * r.height); };
    const shares = seen.map(share);
    if (Math.max(...shares) < 0.3) return "clipped";
    if (Math.min(...shares) < 0.7) { kept = words(node, r => share(r) >= 0.5); if (!kept.trim()) return "clipped"; }
  }
  S.later.push({node, p, i, rects: seen, fill, painted, kept, y: seen[0].top + sy, fixed: i.fixed});
  return "";
}
// The words of a text that is cut, each looked at by itself.
function words(node, visible) {
  const out = [], range = document.createRange();
  let cut = false;
  for (const m of node.data.matchAll(/\S+\s*/g)) {
    range.setStart(node, m.index); range.setEnd(node, m.index + m[0].trimEnd().length);
    const r = range.getBoundingClientRect();
    if (r.width > 0 && r.height > 0 && visible(r)) out.push(m[0]); else cut = true;
  }
  if (cut) count("clipped");
  return out.join("");
}
// Scrolls each text into the middle, and looks what lies above and below it there.
function look() {
  const home = [scrollX, scrollY], tall = innerHeight, until = performance.now() + S.patience;
  S.later.sort((a, b) => a.fixed - b.fixed || a.y - b.y);
  let from = scrollY, tested = true;
  for (const t of S.later) {
    if (performance.now() > until) tested = false;
    if (tested && !t.fixed && (t.y < from + tall * 0.1 || t.y > from + tall * 0.85)) {
      scrollTo({top: t.y - tall * 0.3, left: home[0], behavior: "instant"});
      from = scrollY;
    }
    const why = behind(t, tested);
    if (why) S.hidden.set(t.node, why); else if (t.kept !== null) S.kept.set(t.node, t.kept);
  }
  scrollTo({left: home[0], top: home[1], behavior: "instant"});
}
function points(t) {
  const range = document.createRange(); range.selectNodeContents(t.node);
  const rects = [...range.getClientRects()].filter(r => r.width > 0.4 && r.height > 0.4);
  const chosen = [rects[0], rects[Math.floor(rects.length / 2)], rects[rects.length - 1]];
  const at = [[0, 0.15], [1, 0.5], [2, 0.85]].map(([n, k]) => [chosen[n].left + chosen[n].width * k, chosen[n].top + chosen[n].height / 2]);
  const c = t.i.clip;
  return at.filter(([x, y]) => x >= 0 && y >= 0 && x < innerWidth && y < innerHeight &&
    (!c || (x + scrollX >= c[0] && x + scrollX <= c[2] && y + scrollY >= c[1] && y + scrollY <= c[3])));
}
function behind(t, tested) {
  const at = tested ? points(t) : [];
  if (!at.length) return pale(t, ancestors(t.p));
  let why = "";
  for (const [x, y] of at) {
    why = covered(t, x, y);
    if (!why) return "";
  }
  return why;
}
const ancestors = el => { const out = []; for (let e = el; e; e = flatParent(e)) out.push(e); return out; };
function covered(t, x, y) {
  const root = t.p.getRootNode(), stack = (root.elementsFromPoint ? root : document).elementsFromPoint(x, y);
  let own = t.p;
  while (own && getComputedStyle(own).display === "contents") own = flatParent(own);
  const at = stack.indexOf(own);
  if (at < 0) {
    if (t.i.scrolls || S.modal || t.p.closest("[inert]")) return pale(t, ancestors(t.p));
    const outer = document.elementsFromPoint(x, y);
    if (root !== document && ancestors(t.p).some(e => outer.includes(e))) return pale(t, ancestors(t.p));
    return stack.some(e => !ancestors(t.p).includes(e) && opaque(e)) ? "behind something" : "clipped";
  }
  if (stack.slice(0, at).some(e => opaque(e) && !t.p.contains(e) && !passing(e))) return "behind something";
  return pale(t, stack.slice(at));
}
// A bar or box that stays while the page moves below it hides nothing for good.
function passing(el) {
  for (const e of ancestors(el)) {
    const position = info(e).cs.position;
    if (position === "fixed" || position === "sticky") { const r = e.getBoundingClientRect(); return r.width * r.height < innerWidth * innerHeight * 0.7; }
  }
  return false;
}
function opaque(el) {
  const i = info(el);
  if (i.reason || i.opacity < 0.8 || i.cs.visibility !== "visible") return false;
  if (/^(?:IMG|VIDEO|CANVAS|IFRAME|EMBED|OBJECT)$/.test(el.tagName)) return true;
  if (colour(i.cs.backgroundColor)[3] > 0.85) return true;
  if (i.cs.backgroundImage === "none") return false;
  const found = stops(i.cs.backgroundImage);
  return !found.length || found.every(c => c[3] > 0.85);
}
function pale(t, stack) {
  if (t.painted) return "";
  let back = [0, 0, 0, 0];
  const fill = [t.fill[0], t.fill[1], t.fill[2], t.fill[3]];
  const shadow = t.i.cs.textShadow, stroke = parseFloat(t.i.cs.webkitTextStrokeWidth) > 0.4 ? colour(t.i.cs.webkitTextStrokeColor) : null;
  const seen = back => [over(fill, back), ...(shadow !== "none" ? stops(shadow).slice(0, 3).filter(c => c[3] > 0.3) : []), ...(stroke ? [stroke] : [])].some(c => differs(c, back));
  for (const e of stack) {
    const cs = info(e).cs;
    if (/^(?:IMG|VIDEO|CANVAS|IFRAME)$/.test(e.tagName) && e !== t.p) return "";
    if (cs.backgroundImage !== "none" && !(cs.webkitBackgroundClip || "").includes("text")) {
      const found = stops(cs.backgroundImage);
      if (cs.backgroundImage.includes("url(") || !found.length) return "";
      if (found.some(c => seen(over(back, over(c, [255, 255, 255, 1]))))) return "";
      back = over(back, found[0]);
    }
    back = over(back, colour(cs.backgroundColor));
    if (back[3] > 0.98) break;
  }
  back = over(back, [255, 255, 255, 1]);
  return seen(back) ? "" : "same colour as what is behind it";
}

// --- the text ---
function count(why) { if (why) S.omitted[why] = (S.omitted[why] || 0) + 1; }
function children(el) {
  if (el.shadowRoot) return [...el.shadowRoot.childNodes];
  if (el.tagName === "SLOT") { const given = el.assignedNodes(); if (given.length) return given; }
  return [...el.childNodes];
}
function texts(el) { // pass one: judge every text
  if (S.over || S.chars > CHARS || performance.now() > S.deadline) { S.over = true; return; }
  for (const n of children(el)) {
    if (n.nodeType === 3) {
      if (!n.data.trim()) continue;
      S.chars += n.data.length;
      const why = judge(n);
      if (why) S.hidden.set(n, why);
    } else if (n.nodeType === 1 && !SKIP.has(n.tagName) && !/^(?:SELECT|TEXTAREA|IFRAME|OBJECT|VIDEO|AUDIO|CANVAS)$/.test(n.tagName)) {
      if (!info(n).reason) texts(n);
    }
    if (S.over) return;
  }
}
function ref(el) {
  let n = numbers.get(el);
  if (!n || !refs.has(n)) { n = ++S.last; numbers.set(el, n); refs.set(n, new WeakRef(el)); }
  if (el.tagName === "A" && S.links.length < 5000) S.links.push([n, String(el.href)]);
  return `{${n}}`;
}
function put(s) { S.line += s; }
function flush(kind = "p", extra = {}) {
  const s = S.pre ? S.line.replace(/\s+$/, "") : clean(S.line).trim();
  S.line = "";
  if (s) S.blocks.push({t: kind, s, r: S.region, ...extra});
}
const BLOCK = /^(?:block|flex|grid|table|list-item|flow-root|table-row|table-caption|table-cell|-webkit-box)/;
function shown(el) { // a control or picture: is it there to be seen
  const i = info(el), r = el.getBoundingClientRect();
  return !i.reason && i.cs.visibility === "visible" && r.width >= 4 && r.height >= 4 && r.right + scrollX > 0 && r.bottom + scrollY > 0 &&
    (!i.clip || i.scrolls || (r.right + scrollX > i.clip[0] && r.left + scrollX < i.clip[2] && r.bottom + scrollY > i.clip[1] && r.top + scrollY < i.clip[3]));
}
function icon(el) {
  const name = clean(el.getAttribute("aria-label") || el.title || "").trim().toLowerCase();
  return name && name.length <= 24 && name.split(/[ ,-]+/).every(w => ICONS.has(w)) ? name : "";
}
function generated(el, which) {
  const cs = getComputedStyle(el, which);
  const m = /^"((?:[^"\\]|\\.)*)"$/.exec(cs.content);
  if (!m || cs.display === "none" || cs.visibility !== "visible" || parseFloat(cs.fontSize) < TINY || parseFloat(cs.opacity) < 0.1) return;
  if (/absolute|fixed/.test(cs.position) || cs.clipPath !== "none" || parseFloat(cs.textIndent) < -20) return;
  const i = info(el), t = {p: el, i: {...i, cs}, fill: colour(cs.webkitTextFillColor || cs.color), painted: false};
  if (t.fill[3] < 0.12 || pale(t, ancestors(el))) { count("same colour as what is behind it"); return; }
  const s = m[1].replace(/\\(.)/g, "$1");
  if (/\p{L}|\p{N}/u.test(s) && s.length <= 300) put(s);
}
function field(el) {
  if (!shown(el)) return;
  const type = (el.getAttribute("type") || (el.tagName === "TEXTAREA" ? "text" : el.type) || "text").toLowerCase();
  if (el.tagName === "INPUT" && type === "hidden") return;
  const quoted = s => JSON.stringify(clean(String(s)).trim().slice(0, 200));
  const off = el.disabled ? " off" : "";
  if (type === "checkbox" || type === "radio") return put(` [${el.checked ? "x" : " "}${type === "radio" ? " choice" : ""}${off}]${ref(el)} `);
  if (type === "submit" || type === "button" || type === "reset" || type === "image") return put(` [${clean(el.value || (type === "submit" ? "Submit" : type)).trim().slice(0, 80)} button${off}]${ref(el)} `);
  if (type === "file") return put(" [file field] ");
  if (el.tagName === "INPUT" && !FIELDS.has(type)) return;
  const what = type === "password" ? "password field" : type === "text" || type === "search" ? "text field" : `${type} field`;
  const value = type === "password" ? (el.value ? ", filled" : "") : el.value ? ` = ${quoted(el.value)}` : el.placeholder ? `, hint ${quoted(el.placeholder.slice(0, 60))}` : "";
  put(` [${what}${value}${off}]${ref(el)} `);
}
function choice(el) {
  if (!shown(el)) return;
  const names = [...el.options].filter(o => !o.hidden && getComputedStyle(o).display !== "none").map(o => clean(o.text).trim().slice(0, 60)).filter(Boolean);
  const chosen = [...el.selectedOptions].map(o => clean(o.text).trim().slice(0, 60)).join(", ");
  const more = names.length > 30 ? ` | and ${names.length - 30} more` : "";
  put(` [choice = ${JSON.stringify(chosen)} of: ${names.slice(0, 30).join(" | ")}${more}]${ref(el)} `);
}
function walk(n) {
  if (n.nodeType === 3) {
    if (!n.data.trim()) { if (n.data) put(S.pre ? n.data : " "); return; }
    const why = S.hidden.get(n);
    if (why !== undefined) return count(why);
    if (!S.judged(n)) return;
    const s = S.kept.get(n) ?? n.data;
    return put(S.pre ? s : clean(s));
  }
  if (n.nodeType !== 1 || SKIP.has(n.tagName)) return;
  const i = info(n);
  if (i.reason) { if ((n.textContent || "").trim() && n.tagName !== "svg") count(i.reason); return; }
  const tag = n.tagName, block = BLOCK.test(i.cs.display), region = S.region;
  if (tag === "BR") return put(S.pre ? "\n" : " ");
  if (tag === "IMG" || tag === "PICTURE") return picture(n);
  if (tag === "INPUT" || tag === "TEXTAREA") return field(n);
  if (tag === "SELECT") return choice(n);
  if (tag === "IFRAME" || tag === "FRAME") { if (shown(n)) { flush(); W.frames.push(n); S.blocks.push({t: "frame", k: W.frames.length - 1, r: S.region}); } else count("not displayed"); return; }
  if (tag === "VIDEO" || tag === "AUDIO" || tag === "CANVAS" || tag === "OBJECT" || tag === "EMBED") { if (shown(n)) put(tag === "CANVAS" ? " [drawing] " : tag === "VIDEO" ? " [video] " : ""); return; }
  if (tag === "TABLE" && data(n)) { flush(); return; }
  if (LANDMARKS[tag]) S.region = LANDMARKS[tag];
  if (block) flush();
  if (tag === "LI") put("- ");
  const pre = S.pre; if (block) S.pre = /^(?:pre|break-spaces)/.test(i.cs.whiteSpace);
  const level = /^H[1-6]$/.test(tag) ? +tag[1] : n.getAttribute("role") === "heading" ? +(n.getAttribute("aria-level") || 2) : 0;
  if (tag === "DT" || tag === "TD" || tag === "TH") put(" ");
  generated(n, "::before");
  act(n, i);
  generated(n, "::after");
  if (tag === "TD" || tag === "TH") put(" ");
  if (block) level ? flush("h", {n: level}) : flush(S.pre ? "pre" : "p");
  S.pre = pre; S.region = region;
}
// An element that can be used gets a name: its visible text, then its number.
function act(n, i) {
  const role = n.getAttribute("role"), link = n.tagName === "A" && n.hasAttribute("href");
  const button = n.tagName === "BUTTON" || n.tagName === "SUMMARY" || ROLES.has(role) || (n.hasAttribute("onclick") && n.tagName !== "BODY");
  const editable = n.isContentEditable && !(n.parentElement && n.parentElement.isContentEditable);
  if (!link && !button && !editable) { for (const c of children(n)) walk(c); return; }
  const before = S.line, blocks = S.blocks.length;
  S.line = "";
  for (const c of children(n)) walk(c);
  const text = clean(S.line).trim();
  if (S.blocks.length > blocks) { // a card: its blocks stand by themselves
    S.line = before + (text ? text + " " : "") + `[${link ? "link" : "button"} to the above]${ref(n)} `;
    return;
  }
  if (editable) { S.line = before + ` [text field = ${JSON.stringify(text)}]${ref(n)} `; return; }
  const name = text || (shown(n) ? icon(n) || (n.querySelector("img, svg") ? "picture" : "") : "");
  if (!name) { S.line = before; return; }
  const gap = /^\s/.test(S.line) ? " " : "", end = /\s$/.test(S.line) ? " " : "";
  S.line = before + gap + `[${name}${link || n.tagName === "SUMMARY" ? "" : " button"}${n.tagName === "SUMMARY" ? (n.parentElement.open ? ", open" : ", closed") : ""}${n.disabled ? ", off" : ""}]${ref(n)}` + end;
}
function picture(n) {
  const img = n.tagName === "IMG" ? n : n.querySelector("img");
  if (!img) return;
  if (img.complete && !img.naturalWidth && img.alt && shown(img)) { // not loaded: its words stand in its place
    const r = img.getBoundingClientRect(), i = info(img);
    const t = {p: img, i, fill: colour(i.cs.color), painted: false};
    if (r.width > 16 && r.height > 8 && parseFloat(i.cs.fontSize) >= TINY && !pale(t, ancestors(img))) return put(` ${clean(img.alt).slice(0, 300)} `);
  }
  if (img.alt && img.alt.trim()) count("words for a picture");
}
// A table of data: its cells as rows; false for one that only lays out.
function data(table) {
  if (/presentation|none/.test(table.getAttribute("role") || "") || table.querySelector("table, form, h1, h2, ul, ol, iframe, input, select, textarea, p + p")) return false;
  const rows = [...table.rows].filter(r => !info(r).reason);
  if (rows.length < 2 || Math.max(...rows.map(r => r.cells.length)) < 2) return false;
  const grid = [], held = [];
  let cells = 0;
  for (const [y, row] of rows.entries()) {
    const line = grid[y] = grid[y] || [];
    let x = 0;
    for (const cell of row.cells) {
      while (line[x] !== undefined) x++;
      if (info(cell).reason) { if (cell.textContent.trim()) count(info(cell).reason); continue; }
      const kept = S.line, blocks = S.blocks, wide = Math.min(cell.colSpan || 1, 100), high = Math.min(cell.rowSpan || 1, 1000);
      S.line = ""; S.blocks = [];
      for (const c of children(cell)) walk(c);
      flush();
      const text = S.blocks.map(b => b.s || "").join(" ");
      S.line = kept; S.blocks = blocks;
      held.push(text);
      for (let dy = 0; dy < high && y + dy < rows.length; dy++) for (let dx = 0; dx < wide; dx++) {
        const r = grid[y + dy] = grid[y + dy] || [];
        r[x + dx] = dy || dx ? (cell.tagName === "TH" || dy ? text : "") : text;
      }
      x += wide; cells += wide;
      if (cells > TABLE_CELLS) { S.over = true; break; }
    }
    if (S.over && cells > TABLE_CELLS) break;
  }
  const caption = table.caption && !info(table.caption).reason ? caption_(table.caption) : "";
  const heads = rows[0].cells.length > 0 && [...rows[0].cells].every(c => c.tagName === "TH" || c.closest("thead"));
  S.tables.push({rows: grid.map(r => Array.from(r, c => c === undefined ? "" : c)), head: heads, caption});
  flush();
  S.blocks.push({t: "table", k: S.tables.length - 1, r: S.region});
  return true;
}
function caption_(el) {
  const kept = S.line, blocks = S.blocks;
  S.line = ""; S.blocks = [];
  for (const c of children(el)) walk(c);
  flush();
  const s = S.blocks.map(b => b.s || "").join(" ");
  S.line = kept; S.blocks = blocks;
  return s;
}

function forced() { // so that what lets clicks through is seen all the same
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("*, *::before, *::after { pointer-events: auto !important; scroll-behavior: auto !important; }");
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  return () => { document.adoptedStyleSheets = document.adoptedStyleSheets.filter(s => s !== sheet); };
}
const W = {
  frames: [],
  // last: the highest number given in this tab so far. patience, deadline in milliseconds.
  snapshot({last, patience = 1500, deadline = 8000}) {
    W.frames = [];
    const passed = new Set();
    S = {last, patience, deadline: performance.now() + deadline, infos: new Map(), hidden: new Map(), kept: new Map(), later: [], blocks: [], tables: [],
      omitted: {}, links: [], line: "", chars: 0, over: false, pre: false, region: "", modal: !!document.querySelector(":modal")};
    const body = document.body || document.documentElement;
    if (body) {
      const restore = forced();
      try {
        texts(body);
        for (const t of S.later) passed.add(t.node);
        S.judged = n => passed.has(n);
        look();
        S.infos = new Map();
        walk(body);
        flush();
      } finally { restore(); }
    }
    const root = document.documentElement;
    const out = {blocks: S.blocks, tables: S.tables, omitted: S.omitted, links: S.links, over: S.over, last: S.last, title: document.title,
      url: location.href, dir: root ? getComputedStyle(root).direction : "ltr", height: root ? root.scrollHeight : 0, top: scrollY, view: innerHeight, rooted: !!root};
    S = null;
    return out;
  },
  element(n) { const el = refs.get(n) && refs.get(n).deref(); return el && el.isConnected ? el : null; },
  // What a number stands for: "" when it is gone.
  describe(n) {
    const el = W.element(n);
    if (!el) return null;
    const form = el.form || el.closest("form");
    return {tag: el.tagName, type: el.type || "", href: el.href && el.href.baseVal === undefined ? String(el.href) : "", download: el.hasAttribute("download"),
      editable: el.isContentEditable, disabled: !!el.disabled, method: form ? (form.method || "get") : "", action: form ? String(form.action || location.href) : ""};
  },
  ready(n) { // scrolls it into view; whether something lies over it
    const el = W.element(n);
    if (!el) return null;
    el.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
    const r = el.getBoundingClientRect(), x = r.left + r.width / 2, y = r.top + r.height / 2;
    const hit = document.elementFromPoint(x, y);
    const own = !hit || hit === el || el.contains(hit) || hit.contains(el) || (el.labels && [...el.labels].includes(hit)) || ancestors(el).includes(hit);
    return {covered: !own, size: r.width * r.height};
  },
  focus(n) {
    const el = W.element(n);
    if (!el) return false;
    el.scrollIntoView({block: "center", behavior: "instant"});
    el.focus();
    if (el.select) el.select(); else getSelection().selectAllChildren(el);
    return true;
  },
  fill(n, value) { // for fields that take no typing: dates, colours, ranges
    const el = W.element(n);
    el.value = value;
    el.dispatchEvent(new Event("input", {bubbles: true}));
    el.dispatchEvent(new Event("change", {bubbles: true}));
    return el.value;
  },
  submit(n) { const el = W.element(n), form = el && (el.form || el.closest("form")); if (form) form.requestSubmit(); return !!form; },
  choose(n, wanted) {
    const el = W.element(n), plain = s => clean(s).trim().toLowerCase();
    const options = [...el.options].filter(o => !o.disabled);
    const found = options.find(o => plain(o.text) === plain(wanted)) || options.find(o => plain(o.value) === plain(wanted)) || options.find(o => plain(o.text).startsWith(plain(wanted)));
    if (!found) return options.slice(0, 30).map(o => clean(o.text).trim());
    el.value = found.value;
    found.selected = true;
    el.dispatchEvent(new Event("input", {bubbles: true}));
    el.dispatchEvent(new Event("change", {bubbles: true}));
    return clean(found.text).trim();
  },
};
globalThis.__llmos = W;
})();
