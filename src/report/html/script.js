"use strict";
// Draws what a report's data hold: the table of incidents and one run's timeline at a time.
// Text of logs is hostile: it gets into the page through textContent and attributes only.
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const name = (at) => (at === null ? null : data.names[at]);

  // Columns of the rows; the writer is embedded.rs.
  const incidents = data.incidents.map((row, at) => ({
    at, id: row[0], device: name(row[1]), run: row[2], template: name(row[3]) ?? "(template not known)",
    step: name(row[4]), ordinal: row[5], attempts: row[6], mechanism: name(row[7]), confidence: name(row[8]),
    when: row[9], minutes: row[10], code: name(row[11]),
    blocker: row[12] && { program: name(row[12][0]), pid: row[12][1], launched: row[12][2], by: name(row[12][3]), hung: row[12][4] === 1 },
  }));
  const lines = (rows) => rows.map((row) => ({ path: name(row[0]), line: row[1], says: name(row[2]), mark: name(row[3]), text: row[4] }));
  const readRun = (row) => ({
    device: name(row[0]), run: row[1], template: name(row[2]) ?? "(template not known)", state: name(row[3]),
    zone: name(row[4]), base: row[5], offset: row[6], until: row[7],
    steps: row[8].map((step) => ({
      ordinal: step[0], name: name(step[1]), from: step[2], to: step[3], outcome: step[4], code: name(step[5]),
      incident: step[6], task: name(step[7]), lines: lines(step[8]),
    })),
    lives: row[9].map((life) => ({
      program: name(life[0]), from: life[1], active: life[2], to: life[3], waited: (life[4] & 1) > 0, refused: (life[4] & 2) > 0,
      launchOnly: (life[4] & 4) > 0, openEnd: (life[4] & 8) > 0, openStart: (life[4] & 16) > 0, by: name(life[5]),
      fromKnown: name(life[6]), toKnown: name(life[7]), held: life[8], pid: life[9], task: name(life[10]), lines: lines(life[11]),
    })),
    marks: row[10].map((mark) => ({ at: mark[0], what: mark[1], minutes: mark[2], offset: mark[3] })),
    whole: row[11] === 1,
    proofs: new Map(row[12].map((proof) => [proof[0], lines(proof[1])])),
  });
  const runOf = new Map(data.runs.map((row, at) => [name(row[0]) + "\n" + row[1], at]));
  const OUTCOMES = ["succeeded", "refused: a task was already running", "failed for another reason", "no end is seen"];
  const OUTCOME_CLASS = ["done", "refusal", "fail", "none"];

  // Elements from plain values; children are elements or text.
  const put = (element, attributes, children) => {
    for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== false) element.setAttribute(key, value);
    for (const child of children) if (child !== null) element.append(child);
    return element;
  };
  const tag = (kind, attributes = {}, ...children) => put(document.createElement(kind), attributes, children);
  const svg = (kind, attributes = {}, ...children) => put(document.createElementNS("http://www.w3.org/2000/svg", kind), attributes, children);
  const plural = (number, noun) => number + " " + noun + (number === 1 ? "" : "s");

  // Dark and light.
  const theme = byId("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (prefersDark.matches ? "dark" : "light")) === "dark";
  const showTheme = () => {
    theme.setAttribute("aria-pressed", String(isDark()));
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", isDark() ? "Switch to light" : "Switch to dark");
  };
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; showTheme(); });
  prefersDark.addEventListener("change", showTheme);
  showTheme();

  // On paper, what is folded is shown, and the picture is drawn for the width of a page.
  const PAPER = 760;
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const own of folded) own.open = true;
    draw(PAPER);
  });
  addEventListener("afterprint", () => {
    for (const own of folded) own.open = false;
    draw();
  });

  // ---- The table of incidents.
  const PAGE = 12;
  const time = (text) => text.replace("T", " ");
  const blockedBy = (own) => {
    if (!own.blocker) return "holder not in the logs";
    const by = own.blocker.by === "unknown" ? "" : " (" + (own.blocker.by.includes("first run") ? "first run" : own.blocker.by) + ")";
    return own.mechanism.replace(/^a (security )?/, "") + by + (own.blocker.hung ? ", hung for hours" : "");
  };
  const COLUMNS = [
    ["When", (own) => time(own.when), (own) => own.when, "time"],
    ["Device", (own) => own.device + (own.run > 1 ? ", run " + own.run : ""), (own) => own.device, ""],
    ["Step", (own) => own.step + (own.attempts > 1 ? " (" + own.attempts + " tries)" : ""), (own) => own.step, ""],
    ["Template", (own) => own.template, (own) => own.template, ""],
    ["Blocked by", blockedBy, blockedBy, ""],
    ["Min. after install", (own) => (own.minutes === null ? "–" : own.minutes.toFixed(1)), (own) => own.minutes ?? -1, "num"],
    ["Proof", (own) => own.confidence, (own) => own.confidence, "time"],
  ];
  let sorted = 0, direction = -1, first = 0, rows = incidents;
  const compare = (a, b) => (typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0);
  const arrange = () => {
    const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (own) => (own.text ??= (COLUMNS.map((column) => column[1](own)).join("\n") + "\n" + own.id + "\n" + (own.code ?? "")).toLowerCase());
    rows = words.length ? incidents.filter((own) => words.every((word) => text(own).includes(word))) : incidents.slice();
    const key = COLUMNS[sorted][2];
    rows.sort((a, b) => direction * compare(key(a), key(b)) || a.at - b.at);
    first = 0;
    showRows();
  };
  const showRows = () => {
    byId("table").querySelectorAll("thead th").forEach((head, at) => {
      if (at === sorted) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    byId("table").tBodies[0].replaceChildren(...rows.slice(first, first + PAGE).map((own) => {
      const cells = COLUMNS.map(([, text, , kind], at) => {
        const shown = at === 1 ? tag("button", { type: "button", "aria-label": "Timeline of " + text(own) }, text(own)) : text(own);
        return tag("td", { class: kind || null, role: "cell" }, shown);
      });
      const row = tag("tr", { role: "row", class: own.at === opened ? "open" : null }, ...cells);
      row.addEventListener("click", () => open(own, true));
      return row;
    }));
    const last = Math.min(first + PAGE, rows.length);
    byId("shown").textContent = rows.length === 0 ? "No incident fits the filter."
      : (first + 1) + " to " + last + " of " + plural(rows.length, "incident") + (rows.length < incidents.length ? " that fit, " + incidents.length + " in all" : "");
    byId("before").disabled = first === 0;
    byId("after").disabled = last >= rows.length;
  };
  const startTable = () => {
    byId("table").tHead.rows[0].append(...COLUMNS.map(([title, , , kind], at) => {
      const button = tag("button", { type: "button" }, title);
      button.addEventListener("click", () => { direction = sorted === at ? -direction : 1; sorted = at; arrange(); });
      return tag("th", { scope: "col", role: "columnheader", class: kind || null }, button);
    }));
    byId("filter").addEventListener("input", arrange);
    byId("before").addEventListener("click", () => { first = Math.max(0, first - PAGE); showRows(); });
    byId("after").addEventListener("click", () => { first += PAGE; showRows(); });
    arrange();
  };

  // ---- One run's timeline.
  let opened = null, run = null, picked = null;
  const open = (incident, jump) => {
    opened = incident.at;
    const at = runOf.get(incident.device + "\n" + incident.run);
    const own = at === undefined ? null : readRun(data.runs[at]);
    show(own, incident);
    if (byId("run").options.length) byId("run").value = at === undefined ? "" : String(at);
    showRows();
    if (jump) { byId("timeline").scrollIntoView({ block: "start" }); byId("timeline-title").focus({ preventScroll: true }); }
  };
  const show = (own, incident) => {
    run = own;
    const place = byId("picture");
    place.replaceChildren();
    if (!own) {
      place.append(tag("p", { class: "run-title" }, incident.device + ", run " + incident.run),
        tag("p", { class: "note" }, "This run's timeline is not in this file, which would grow too large with it. To see it: ",
          tag("code", {}, "provtrace analyze PATH --device " + incident.device + " -o device.html")));
      return;
    }
    const zone = own.zone ? "times of the device, " + own.zone : "times as logged, the zone is not known";
    place.append(tag("p", { class: "run-title" }, own.device + ", run " + own.run + ": " + own.template),
      tag("p", { class: "quiet small" }, day(own, 0) + "; " + zone + ". The run: " + own.state + "."), story(own),
      tag("div", { id: "lanes" }), keys(own), tag("div", { id: "proof", "aria-live": "polite" }), list(own));
    draw();
    const mine = items.find((item) => item.step && item.step.incident === incident.at);
    pick(mine ?? items.find((item) => item.step && item.step.outcome === 1) ?? items[0]);
  };
  const offsetAt = (own, at) => own.marks.reduce((offset, mark) => (mark.what === 3 && mark.at <= at ? mark.offset : offset), own.offset);
  const local = (own, at) => new Date(own.base + at * 1000 + offsetAt(own, at)).toISOString();
  const day = (own, at) => local(own, at).slice(0, 10);
  const clock = (own, at) => (day(own, at) === day(own, 0) ? "" : day(own, at) + " ") + local(own, at).slice(11, 19);
  const length = (seconds) => {
    if (seconds < 60) return seconds + " s";
    if (seconds < 3600) return Math.floor(seconds / 60) + " min " + String(seconds % 60).padStart(2, "0") + " s";
    return Math.floor(seconds / 3600) + " h " + String(Math.floor(seconds / 60) % 60).padStart(2, "0") + " min";
  };
  const process = (life) => life.program + (life.pid === null ? "" : " (pid " + life.pid + ")") + (life.task === null ? "" : " of task " + life.task);

  // What happened, in sentences: one for each program that held steps.
  const story = (own) => {
    const told = new Map();
    for (const step of own.steps.filter((step) => step.outcome === 1 && step.incident !== null)) {
      const holder = own.lives.find((life) => life.held.includes(step.incident)) ?? null;
      const steps = told.get(holder) ?? told.set(holder, []).get(holder);
      if (!steps.some((other) => other.incident === step.incident)) steps.push(step);
    }
    const one = (step) => "step " + step.ordinal + ", “" + step.name + "” (" + clock(own, step.from) + ")";
    const sentence = (holder, steps) => {
      const refused = steps.map(one).join("; ");
      if (holder === null) return "Refused, and the holder is not seen in this run: " + refused + ".";
      const by = holder.by === "unknown" ? "" : " by " + holder.by;
      const waited = !holder.waited ? ", and worked" : holder.active > holder.from ? ", waited, and was at work from " + clock(own, holder.active) : ", waited, and lived";
      return process(holder) + " was launched at " + clock(own, holder.from) + by + waited + " until " + clock(own, holder.to)
        + (holder.openEnd ? " at least" : "") + ". Meanwhile refused: " + refused + ".";
    };
    return tag("div", { class: "story" }, ...[...told].map(([holder, steps]) => tag("p", {}, sentence(holder, steps))));
  };

  // Everything that can be picked, in the order of lanes and time.
  let items = [];
  const lanesOf = (own) => {
    const lanes = [{ label: "Agent and clock", marks: own.marks, steps: [], lives: [] }];
    for (const step of own.steps) {
      const last = lanes[lanes.length - 1];
      if (last.ordinal === step.ordinal) last.steps.push(step);
      else lanes.push({ label: step.ordinal + "  " + step.name, ordinal: step.ordinal, marks: [], steps: [step], lives: [] });
    }
    for (const lane of lanes) lane.hit = lane.steps.some((step) => step.outcome === 1);
    for (const [program, label, kind] of [["vulscan.exe", "Security scan", "work"], ["PolicySync.exe", "Policy sync", "policy"], ["sdclient.exe", "Other sdclient", "foreign"]]) {
      const lives = own.lives.filter((life) => life.program === program);
      // Two at a time stand below each other.
      const stacks = [];
      for (const life of lives) {
        const free = stacks.find((stack) => stack[stack.length - 1].to < life.from);
        if (free) free.push(life); else stacks.push([life]);
      }
      stacks.slice(0, 8).forEach((stack, at) => lanes.push({ label: at ? "" : label, kind, marks: [], steps: [], lives: stack }));
    }
    return lanes;
  };
  const TICKS = [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 604800];
  const draw = (given) => {
    const own = run;
    const box = byId("lanes");
    if (!own || !box) return;
    const width = given ?? Math.max(300, box.clientWidth), narrow = width < 640;
    const left = narrow ? 4 : 236, right = width - 8, height = narrow ? 36 : 24, top = 26;
    const lanes = lanesOf(own);
    // The window of the random delay is drawn as far as the run goes on.
    const span = Math.max(own.until, 10) * 1.02;
    const x = (at) => left + (right - left) * Math.min(Math.max(at, 0), span) / span;
    const bottom = top + lanes.length * height;
    const wanted = Math.max(2, Math.floor((right - left) / 90));
    const every = TICKS.find((tick) => span / tick <= wanted) ?? TICKS[TICKS.length - 1];
    const picture = svg("svg", { class: "lanes", viewBox: "0 0 " + width + " " + (bottom + 4), role: "group", "aria-labelledby": "lanes-title lanes-text" },
      svg("title", { id: "lanes-title" }, "Timeline of " + own.device + ", run " + own.run),
      svg("desc", { id: "lanes-text" }, "One lane a step, and lanes for the agent, the security scan, policy sync and other deployments. Arrow keys move, Enter shows the lines; the same stands in the list below."),
      svg("defs", {}, svg("pattern", { id: "hatch", width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        svg("rect", { width: 7, height: 7, class: "hatch-ground" }), svg("line", { x1: 1, y1: 0, x2: 1, y2: 7, class: "hatch-line" }))));
    lanes.forEach((lane, at) => { if (at % 2 === 0) picture.append(svg("rect", { class: "stripe", x: 0, y: top + at * height, width, height })); });
    const zero = (own.base + offsetAt(own, 0)) / 1000;
    for (let at = Math.ceil(zero / every) * every - zero; at <= span; at += every) {
      picture.append(svg("line", { class: "tick", x1: x(at), x2: x(at), y1: top - 4, y2: bottom }),
        svg("text", { class: x(at) > right - 30 ? "end" : narrow && x(at) < 30 ? null : "middle", x: x(at), y: 14 }, local(own, at).slice(11, every < 60 ? 19 : 16)));
    }
    items = [];
    lanes.forEach((lane, at) => {
      const y = top + at * height, mid = narrow ? y + 25 : y + height / 2, thick = narrow ? 12 : 14;
      picture.append(svg("text", { class: "lane" + (lane.hit ? " hit" : ""), x: 4, y: narrow ? y + 13 : mid + 4 }, svg("title", {}, lane.label), cut(lane.label, narrow ? 46 : 31)));
      for (const mark of lane.marks) landmark(own, picture, mark, x, mid, thick, bottom, span);
      for (const step of lane.steps) bar(own, picture, step, x, mid, thick);
      for (const life of lane.lives) lifetime(own, picture, life, lane.kind, x, mid, thick);
    });
    const before = picked && picked.key;
    for (const step of own.steps.filter((step) => step.outcome === 1)) {
      const holder = own.lives.find((life) => life.held.includes(step.incident));
      const from = items.find((item) => item.step === step), to = items.find((item) => item.life === holder);
      if (holder && from && to) picture.insertBefore(svg("line", { class: "moment", x1: x(step.from), x2: x(step.from), y1: from.mid, y2: to.mid }), picture.querySelector(".item"));
    }
    items.forEach((item, at) => { item.key = at; item.element.setAttribute("tabindex", at === 0 ? "0" : "-1"); listen(item); });
    box.replaceChildren(picture);
    if (before !== null && items[before]) pick(items[before], true);
  };
  const cut = (text, letters) => ([...text].length > letters ? [...text].slice(0, letters - 1).join("") + "…" : text);
  const add = (picture, item, x1, x2, mid, thick, ...shapes) => {
    const [from, to] = x2 - x1 < 8 ? [(x1 + x2) / 2 - 5, (x1 + x2) / 2 + 5] : [x1 - 2, x2 + 2];
    item.element = svg("g", { class: "item", role: "button", "aria-label": item.title + ". " + item.told.join(". ") },
      svg("rect", { class: "ring", x: from, y: mid - thick / 2 - 3, width: to - from, height: thick + 6, rx: 3, "pointer-events": "all" }), ...shapes);
    item.mid = mid;
    items.push(item);
    picture.append(item.element);
  };
  const landmark = (own, picture, mark, x, mid, thick, bottom, span) => {
    const at = x(mark.at), when = clock(own, mark.at);
    if (mark.what === 0) {
      const end = mark.at + mark.minutes * 60;
      const told = ["At " + when, "The scan and the policy sync start within " + plural(mark.minutes, "minute") + ", until " + clock(own, end) + (end > span ? ", beyond this picture" : "")];
      add(picture, { title: "Agent installed", told, lines: [], at: mark.at }, at, x(end), mid, thick,
        svg("rect", { class: "delay", x: at, y: mid - thick / 2, width: Math.max(1, x(end) - at), height: thick }),
        svg("line", { class: "mark", x1: at, x2: at, y1: mid - thick / 2 - 3, y2: bottom }));
    } else if (mark.what === 1) {
      add(picture, { title: "A session of the provisioning agent begins", told: ["At " + when, "As after each restart"], lines: [], at: mark.at }, at - 4, at + 4, mid, thick,
        svg("path", { class: "mark", d: "M" + at + " " + (mid - thick / 2) + "v" + thick + "m-4 -4l4 4l4 -4" }));
    } else {
      const moved = mark.minutes === null ? "" : "What was logged before was moved by " + mark.minutes + " min";
      add(picture, { title: mark.what === 2 ? "The clock was set" : "Daylight saving ends", told: ["At " + when, moved].filter(Boolean), lines: [], at: mark.at }, at - 4, at + 4, mid, thick,
        svg("line", { class: "clock", x1: at, x2: at, y1: mid - thick / 2, y2: bottom }),
        svg("circle", { class: "launch", cx: at, cy: mid, r: 4 }));
    }
  };
  const bar = (own, picture, step, x, mid, thick) => {
    const end = step.to ?? step.from, x1 = x(step.from), x2 = Math.max(x(end), x1 + 2);
    const told = [step.to === null ? "From " + clock(own, step.from) + ", no end is seen" : clock(own, step.from) + " to " + clock(own, step.to) + ", " + length(step.to - step.from)];
    if (step.code !== null) told.push("Exit code " + step.code);
    if (step.task !== null) told.push("Task " + step.task);
    const shapes = [svg("rect", { class: OUTCOME_CLASS[step.outcome], x: x1, y: mid - thick / 2, width: x2 - x1, height: thick, rx: 1.5 })];
    if (step.outcome === 1) shapes.push(svg("path", { class: "cross", d: "M" + (x1 - 5) + " " + (mid - 5) + "l10 10m0 -10l-10 10" }));
    const proof = step.incident === null ? undefined : own.proofs.get(step.incident);
    add(picture, { title: "Step " + step.ordinal + ", " + step.name + ": " + OUTCOMES[step.outcome], told, lines: proof ?? step.lines, step, at: step.from }, x1, x2, mid, thick, ...shapes);
  };
  const lifetime = (own, picture, life, kind, x, mid, thick) => {
    const x1 = x(life.from), xa = x(life.active), x2 = Math.max(x(life.to), x1 + 2), y = mid - thick / 2, shapes = [];
    const told = [];
    if (life.launchOnly) {
      told.push("Launched at " + clock(own, life.from) + ", no trace after it");
      shapes.push(svg("circle", { class: "launch", cx: x1, cy: mid, r: 5 }));
    } else {
      told.push((life.openStart ? "Seen from " : "From ") + clock(own, life.from) + " (" + life.fromKnown + ") to " + clock(own, life.to) + " (" + life.toKnown + "), " + length(life.to - life.from));
      const waited = life.waited && life.active > life.from;
      if (waited) {
        told.push("Waited " + length(life.active - life.from) + ", at work from " + clock(own, life.active));
        shapes.push(svg("rect", { class: "waiting", x: x1, y, width: Math.max(1, xa - x1), height: thick }));
      }
      if (life.waited && !waited) told.push("It waited; until when is not seen");
      const work = waited ? xa : x1;
      shapes.push(svg("rect", { class: kind, x: work, y, width: Math.max(2, x2 - work), height: thick }));
      if (life.openEnd) {
        told.push("Its end is not stated: it may have lived longer");
        shapes.push(svg("path", { class: "open-end o-" + kind, d: "M" + (x2 + 2) + " " + y + "l4 " + thick / 4 + "l-4 " + thick / 4 + "l4 " + thick / 4 + "l-4 " + thick / 4 }));
      }
    }
    if (life.held.length) {
      told.push("It held " + life.held.map((at) => "“" + incidents[at].step + "”").join(", "));
      shapes.push(svg("rect", { class: "held", x: x1, y: y - 1, width: Math.max(2, x2 - x1), height: thick + 2 }));
    }
    if (life.refused) {
      told.push("Its own log says that it was refused");
      shapes.push(svg("path", { class: "cross", d: "M" + (x1 - 4) + " " + (mid - 4) + "l8 8m0 -8l-8 8" }));
    }
    if (life.by !== "unknown") told.push("Launched by " + life.by);
    add(picture, { title: process(life), told, lines: life.lines, life, at: life.from }, x1, x2, mid, thick, ...shapes);
  };

  // Hover, click and keys.
  const tip = byId("tip");
  const hint = (item) => {
    tip.textContent = item.title + "\n" + item.told.join("\n");
    tip.hidden = false;
    const box = item.element.querySelector(".ring").getBoundingClientRect();
    const left = Math.min(Math.max(6, box.left), innerWidth - tip.offsetWidth - 6);
    const above = box.top - tip.offsetHeight - 8;
    tip.style.left = left + scrollX + "px";
    tip.style.top = (above < 50 ? box.bottom + 8 : above) + scrollY + "px";
  };
  const listen = (item) => {
    item.element.addEventListener("mouseenter", () => hint(item));
    item.element.addEventListener("mouseleave", () => { tip.hidden = true; });
    item.element.addEventListener("focus", () => { if (item.element.matches(":focus-visible")) hint(item); });
    item.element.addEventListener("blur", () => { tip.hidden = true; });
    item.element.addEventListener("click", () => pick(item));
    item.element.addEventListener("keydown", (event) => {
      const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(item); }
      else if (event.key === "Escape") tip.hidden = true;
      else if (move !== undefined) {
        event.preventDefault();
        const next = items[Math.min(Math.max(item.key + move, 0), items.length - 1)];
        items.forEach((own) => own.element.setAttribute("tabindex", own === next ? "0" : "-1"));
        next.element.focus();
      }
    });
  };
  const SAYS = (word) => word.replaceAll("_", " ");
  const pick = (item, quietly) => {
    if (!item) return;
    picked = item;
    items.forEach((own) => { own.element.classList.toggle("picked", own === item); own.element.setAttribute("tabindex", own === item ? "0" : "-1"); });
    if (quietly) return;
    const none = run.whole ? "No line of its own is quoted here." : "The lines are not in this file, which would grow too large with them. To see them: ";
    byId("proof").replaceChildren(tag("h3", {}, item.title), tag("p", {}, item.told.join(". ") + "."),
      item.lines.length ? tag("ol", { class: "lines" }, ...item.lines.map((line) => tag("li", {},
        tag("span", { class: "where" }, line.path + ":" + line.line + "  ", tag("span", { class: "says" }, SAYS(line.says)), line.mark && line.mark !== "seen" ? " (wording: " + line.mark + ")" : ""),
        tag("span", { class: "text" }, line.text))))
        : tag("p", { class: "quiet small" }, none, run.whole ? null : tag("code", {}, "provtrace analyze PATH --device " + run.device + " -o device.html")));
  };

  // The picture in words.
  const list = (own) => {
    const rows = [
      ...own.marks.map((mark) => [mark.at, null, ["agent installed", "session begins", "clock set", "daylight saving ends"][mark.what], mark.minutes === null ? "" : mark.minutes + " min"]),
      ...own.steps.map((step) => [step.from, step.to, "step " + step.ordinal + ": " + step.name, OUTCOMES[step.outcome]]),
      ...own.lives.map((life) => [life.from, life.launchOnly ? null : life.to, process(life),
        [life.launchOnly ? "only its launch is known" : life.waited && life.active > life.from ? "waited until " + clock(own, life.active) : "", life.openEnd && !life.launchOnly ? "end not stated" : "", life.held.length ? "held " + plural(life.held.length, "step") : ""].filter(Boolean).join("; ")]),
    ].sort((a, b) => a[0] - b[0]);
    const head = ["From", "To", "What", "How"].map((title) => tag("th", { scope: "col" }, title));
    return tag("details", {}, tag("summary", {}, "The same as a list"), tag("div", { class: "scroll" }, tag("table", {},
      tag("caption", { class: "unseen" }, "Timeline of " + own.device + " as a list"), tag("thead", {}, tag("tr", {}, ...head)),
      tag("tbody", {}, ...rows.map((row) => tag("tr", {}, tag("td", { class: "time" }, clock(own, row[0])), tag("td", { class: "time" }, row[1] === null ? "–" : clock(own, row[1])), tag("td", {}, row[2]), tag("td", {}, row[3])))))));
  };
  const keys = (own) => {
    const key = (label, ...shapes) => tag("li", {}, svg("svg", { class: "lanes", viewBox: "0 0 26 14", "aria-hidden": "true" }, ...shapes), label);
    const box = (kind) => svg("rect", { class: kind, x: 0, y: 1, width: 24, height: 12 });
    const has = (test) => own.lives.some(test);
    const step = (outcome) => own.steps.some((step) => step.outcome === outcome);
    const mark = (what) => own.marks.some((mark) => mark.what === what);
    return tag("ul", { class: "keys", "aria-label": "Legend" }, ...[
      step(1) && key("refused", svg("path", { class: "cross", d: "M8 2l10 10m0 -10l-10 10" })),
      step(0) && key("step", box("done")), step(2) && key("failed otherwise", box("fail")), step(3) && key("no end seen", box("none")),
      has((life) => life.waited && life.active > life.from) && key("scan waits", box("waiting")), has((life) => life.program === "vulscan.exe") && key("scans", box("work")),
      has((life) => life.program === "PolicySync.exe") && key("policy sync", box("policy")), has((life) => life.program === "sdclient.exe") && key("other sdclient", box("foreign")),
      has((life) => life.held.length) && key("held a step", svg("rect", { class: "held", x: 1, y: 1, width: 22, height: 12 })),
      has((life) => life.openEnd) && key("end not stated", svg("path", { class: "open-end o-work", d: "M10 0l4 3.5l-4 3.5l4 3.5l-4 3.5" })),
      has((life) => life.launchOnly) && key("only launched", svg("circle", { class: "launch", cx: 12, cy: 7, r: 5 })),
      mark(0) && key("agent install, random delay", box("delay")), mark(1) && key("session begins", svg("path", { class: "mark", d: "M12 1v12m-4 -4l4 4l4 -4" })),
      (mark(2) || mark(3)) && key("clock changes", svg("line", { class: "clock", x1: 12, x2: 12, y1: 0, y2: 14 }))].filter(Boolean));
  };

  if (incidents.length) {
    startTable();
    const worst = data.runs.length ? readRun(data.runs[0]) : null;
    const select = byId("run");
    select.append(...data.runs.map((row, at) => tag("option", { value: at }, name(row[0]) + (row[1] > 1 ? ", run " + row[1] : "") + " · " + (name(row[2]) ?? "template not known"))));
    const firstOf = (device, number) => incidents.find((own) => own.device === device && own.run === number);
    select.addEventListener("change", () => {
      const row = data.runs[Number(select.value)];
      const incident = row && firstOf(name(row[0]), row[1]);
      if (incident) open(incident, false);
    });
    open((worst && firstOf(worst.device, worst.run)) ?? incidents[incidents.length - 1], false);
    let drawn = innerWidth;
    addEventListener("resize", () => { if (innerWidth !== drawn) { drawn = innerWidth; draw(); } });
  }
})();
