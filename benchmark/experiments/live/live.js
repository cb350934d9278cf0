// Shows what the measurement says. All of it is set as text, never as markup.
"use strict";

const place = (id) => document.getElementById(id);
const made = (tag, text = "", name = "") => {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = name;
  return element;
};
const percent = (value) => `±\u00a0${value >= 10 ? Math.round(value) : value.toPrecision(2)}\u00a0%`;

function figure(found) {
  const box = made("div", "", "figure");
  box.append(made("p", found.what, "what"), made("p", found.text, "value"));
  if (!found.interval) {
    box.append(made("p", "an interval takes a second block", "interval"));
    return box;
  }
  const widest = Math.max(...found.reach_percent);
  const funnel = made("div", "", "funnel");
  funnel.setAttribute("aria-hidden", "true");
  for (const reach of found.reach_percent) {
    const bar = made("i");
    bar.style.width = `${widest ? (100 * reach) / widest : 100}%`;
    funnel.append(bar);
  }
  const narrowing = found.reach_percent.map(percent).join(" → ");
  box.append(funnel, made("p", `${found.interval}; from block to block ${narrowing}`, "interval"));
  return box;
}

function contender(entry) {
  const box = made("article", "", "contender");
  const heading = made("h3", entry.name);
  const invalid = entry.reasons.length > 0;
  heading.append(
    made("small", `${entry.done} of ${entry.planned || entry.done} blocks`),
    made("span", invalid ? "INVALID so far" : "VALID so far", invalid ? "badge invalid" : "badge valid"),
  );
  const figures = made("div", "", "figures");
  figures.append(...entry.figures.map(figure));
  box.append(heading, made("p", entry.title, "meta"), figures);
  if (invalid) {
    const reasons = made("ul", "", "reasons");
    reasons.append(...entry.reasons.map((reason) => made("li", reason)));
    box.append(reasons);
  }
  return box;
}

function trial(ended) {
  const said = ended.said ? `: ${ended.said}` : "";
  return made("li", `block ${ended.block}, ${ended.contender} ${ended.status}${said}`, ended.status);
}

const show = {
  run: (run) => {
    place("command").textContent = `${run.command}; raw data in ${run.path}`;
  },
  now: (now) => {
    const what = [now.contender, now.phase].filter(Boolean).join(": ");
    place("now").textContent = what;
    document.title = what;
    place("progress").max = now.trials || 1;
    place("progress").value = now.done;
    place("left").textContent = `${now.done} of ${now.trials} trials, about ${now.left} left`;
  },
  board: (board) => {
    place("none").hidden = board.contenders.length > 0;
    place("contenders").replaceChildren(...board.contenders.map(contender));
    place("trials").replaceChildren(...board.trials.map(trial));
  },
  said: (said) => {
    place("said").textContent = said.sentence.startsWith("live: ") ? "" : said.sentence;
  },
  end: (end) => {
    const state = end.complete ? (end.valid ? "VALID" : "INVALID") : "Interrupted";
    place("now").textContent = `${state}: the measurement has ended`;
    document.title = place("now").textContent;
    place("left").textContent = `The report is ${end.report}`;
    place("why").hidden = true;
    source.close();
  },
};

const source = new EventSource("events");
for (const [kind, update] of Object.entries(show)) {
  source.addEventListener(kind, (event) => update(JSON.parse(event.data)));
}
source.onerror = () => {
  if (source.readyState !== EventSource.CLOSED) {
    place("said").textContent = "The measurement does not answer. Was it stopped?";
  }
};
source.onopen = () => {
  place("said").textContent = "";
};
