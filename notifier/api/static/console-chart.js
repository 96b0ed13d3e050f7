"use strict";

// The overview's chart over time: what was accepted, sent and failed a second, to be zoomed.

const place = document.getElementById("over-time");
const told = document.getElementById("over-time-told");
const controls = document.getElementById("over-time-controls");
const HEIGHT_PX = 260;
const SHORTEST_S = 600;
const RENEW_MS = 30_000;
const WORDS = ["accepted", "sent", "failed"];
const STEPS = { minute: "by the minute", hour: "by the hour", day: "by the day" };

// Either so long before now, or a span that somebody chose.
let usual_s = 86_400;
let chosen = null;
let shown = null;
let chart = null;
let asked = 0;

const now_s = () => Math.floor(Date.now() / 1000);
const span = () => chosen ?? [now_s() - usual_s, now_s()];
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const time = (at_s) => new Date(at_s * 1000).toISOString().slice(0, 16).replace("T", " ");

// Days where the marks are that far apart, else times, with the day at midnight.
function marks(_chart, at, _axis, _space, apart_s) {
  return at.map((at_s) => {
    const [day, clock] = time(at_s).split(" ");
    if (apart_s >= 86_400) return day.slice(5);
    return clock === "00:00" ? `${clock}\n${day.slice(5)}` : clock;
  });
}

function options() {
  const colours = { accepted: style("--accent"), sent: style("--good"), failed: style("--bad") };
  const axis = { stroke: style("--soft"), grid: { stroke: style("--line") }, ticks: { stroke: style("--line") } };
  const rate = (_chart, value) => (value == null ? "" : value.toLocaleString("en", { maximumFractionDigits: 3 }));
  return {
    width: place.clientWidth,
    height: HEIGHT_PX,
    tzDate: (at_s) => uPlot.tzDate(new Date(at_s * 1000), "UTC"),
    cursor: { drag: { x: true, y: false, setScale: false } },
    scales: { y: { range: (_chart, _low, high) => [0, Math.max(high * 1.05, 0.001)] } },
    padding: [null, 24, null, null],
    axes: [{ ...axis, values: marks }, { ...axis, size: 60 }],
    series: [
      { label: "UTC", value: (_chart, at_s) => (at_s == null ? "" : time(at_s)) },
      ...WORDS.map((label) => ({ label, stroke: colours[label], width: 1.5, points: { show: false }, value: rate })),
    ],
    hooks: { setSelect: [choose] },
  };
}

function choose(from) {
  const { left, width } = from.select;
  if (width < 4) return;
  const chosen_s = [left, left + width].map((pixel) => Math.round(from.posToVal(pixel, "x")));
  from.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  zoom(...chosen_s);
}

function zoom(since_s, before_s) {
  const short_s = Math.max(0, SHORTEST_S - (before_s - since_s));
  const end_s = Math.min(before_s + short_s / 2, now_s());
  chosen = [Math.round(Math.min(since_s - short_s / 2, end_s - SHORTEST_S)), Math.round(end_s)];
  void load();
}

async function load() {
  const [since_s, before_s] = span();
  const turn = ++asked;
  let found;
  try {
    const answer = await fetch(`${place.dataset.series}?since=${since_s}&before=${before_s}`, {
      headers: { "HX-Request": "true" },
    });
    if (!answer.ok) throw new Error(`it was answered ${answer.status}`);
    found = await answer.json();
  } catch (error) {
    told.textContent = `The chart could not be renewed: ${error.message}.`;
    return;
  }
  // Somebody chose another span meanwhile.
  if (turn === asked) show(found);
}

function show(found) {
  shown = found;
  const points = [found.at, ...WORDS.map((word) => found[word])];
  if (chart) chart.setData(points);
  else {
    chart = new uPlot(options(), points, place);
    chart.root.querySelector("canvas").setAttribute("aria-hidden", "true");
    chart.over.addEventListener("dblclick", back);
  }
  const [first, last] = [found.at[0], found.at.at(-1)];
  Object.assign(place.dataset, { step: found.step, since: first, before: last });
  told.textContent = `A second, ${STEPS[found.step]}, ${time(first)} to ${time(last)} UTC.`;
  for (const each of controls.querySelectorAll("[data-span]")) {
    each.setAttribute("aria-pressed", String(!chosen && Number(each.dataset.span) === usual_s));
  }
}

function back() {
  chosen = null;
  void load();
}

function draw() {
  chart?.destroy();
  chart = null;
  if (shown) show(shown);
}

const MOVES = {
  in: (since_s, before_s, length_s) => [since_s + length_s / 4, before_s - length_s / 4],
  out: (since_s, before_s, length_s) => [since_s - length_s / 2, before_s + length_s / 2],
  earlier: (since_s, before_s, length_s) => [since_s - length_s / 2, before_s - length_s / 2],
  later: (since_s, before_s, length_s) => {
    const end_s = Math.min(before_s + length_s / 2, now_s());
    return [end_s - length_s, end_s];
  },
};

controls.addEventListener("click", ({ target }) => {
  const { span: length, move } = target.closest("button")?.dataset ?? {};
  if (length) {
    usual_s = Number(length);
    back();
  } else if (move) {
    const [since_s, before_s] = span();
    zoom(...MOVES[move](since_s, before_s, before_s - since_s));
  }
});
new ResizeObserver(() => chart?.setSize({ width: place.clientWidth, height: HEIGHT_PX })).observe(place);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
setInterval(() => {
  if (!chosen && !document.hidden) void load();
}, RENEW_MS);
void load();
