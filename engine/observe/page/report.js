"use strict";
// Positions come from CSS: every item knows its second, and the zoom is one custom property, --pps (pixels per
// second). What is left for script: the waveforms, zooming, playing, and the hover details.
(() => {
  const byId = (id) => document.getElementById(id);
  const scroll = byId("scroll"), inner = byId("inner"), canvas = byId("canvas"), audio = byId("audio");
  const play = byId("play"), clock = byId("clock"), cursor = byId("cursor"), tip = byId("tip");
  const length = Number(getComputedStyle(inner).getPropertyValue("--length"));
  const HEIGHT = 314, LANES = { caller: 110, agent: 204 }, HALF = 32, MOST = 800;
  let pps = 60, fitted = true, at = 0;

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const data = JSON.parse(byId("peaks").textContent);
  const peaks = data && { rate: data.rate, caller: bytes(data.caller), agent: bytes(data.agent) };
  const loudest = peaks ? Math.max(24, ...["caller", "agent"].map((side) => {
    const sorted = Uint8Array.from(peaks[side]).sort();
    return sorted[Math.floor(sorted.length * 0.995)] || 0;
  })) : 1;

  // --- drawing ---------------------------------------------------------------------------------------
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const stamp = (seconds, digits) => {
    const minutes = Math.floor(seconds / 60), rest = (seconds - 60 * minutes).toFixed(digits);
    return minutes + ":" + rest.padStart(digits ? 3 + digits : 2, "0");
  };
  const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];

  function draw() {
    const width = scroll.clientWidth, ratio = window.devicePixelRatio || 1, from = scroll.scrollLeft / pps;
    canvas.width = width * ratio;
    canvas.height = HEIGHT * ratio;
    canvas.style.width = width + "px";
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    ticks(pen, width, from);
    for (const side of ["caller", "agent"]) wave(pen, side, width, from);
  }

  function ticks(pen, width, from) {
    const step = STEPS.find((s) => s * pps >= 76) || 3600, digits = step < 1 ? 1 : 0;
    const line = colour("--grid"), ink = colour("--faint");
    pen.font = "11px system-ui, 'Liberation Sans', sans-serif";
    for (let n = Math.floor(from / step); n * step <= Math.min(length, from + width / pps); n++) {
      const x = Math.round((n * step - from) * pps) + 0.5;
      pen.fillStyle = line;
      pen.fillRect(x - 0.5, 0, 1, HEIGHT);
      pen.fillStyle = ink;
      pen.fillText(stamp(n * step, digits), x + 4, 14);
    }
  }

  function wave(pen, side, width, from) {
    const middle = LANES[side];
    pen.fillStyle = colour("--" + side);
    const right = Math.min(width, (length - from) * pps);
    pen.fillRect(0, middle - 0.5, Math.max(0, right), 1);
    if (!peaks) return;
    const track = peaks[side], per = peaks.rate / pps;
    for (let x = 0; x < right; x++) {
      const first = Math.floor((from + x / pps) * peaks.rate), last = Math.max(first + 1, Math.floor(first + per));
      let high = 0;
      for (let i = first; i < last && i < track.length; i++) if (track[i] > high) high = track[i];
      const tall = Math.min(1, high / loudest) ** 0.8 * HALF;
      if (tall >= 0.5) pen.fillRect(x, middle - tall, 1, 2 * tall);
    }
  }

  // --- zoom ------------------------------------------------------------------------------------------
  const fitting = () => scroll.clientWidth / Math.max(length, 0.1);
  function zoom(to, anchorX) {
    const anchor = anchorX === undefined ? scroll.clientWidth / 2 : anchorX;
    const second = (scroll.scrollLeft + anchor) / pps, least = fitting();
    pps = Math.min(MOST, Math.max(least, to));
    fitted = pps === least;
    inner.style.setProperty("--pps", pps);
    thin();
    scroll.scrollLeft = second * pps - anchor;
    draw();
  }
  // A label that would cover the one before it goes to the second row, where there is one, or waits for more zoom.
  const number = (item, name) => Number(item.style.getPropertyValue(name));
  const labels = [[".pin.turn, .pin.intr", 1], [".pin.low", 2], [".gap b", 1]].map(([kind, rows]) => [rows,
    [...inner.querySelectorAll(kind)].map((label) => {
      const wide = label.offsetWidth, gap = label.closest(".gap");
      const second = gap ? number(gap, "--s") + number(gap, "--d") / 2 : number(label, "--s");
      return { label, second, wide, left: gap ? wide / 2 : 0 };
    }).sort((a, b) => a.second - b.second)]);
  const said = [...inner.querySelectorAll(".say")].map((box) => [box, number(box, "--d")]);
  function thin() {
    for (const [rows, row] of labels) {
      const free = Array(rows).fill(-Infinity);
      for (const { label, second, wide, left } of row) {
        const x = second * pps - left, place = free.findIndex((end) => end <= x);
        label.classList.toggle("covered", place < 0);
        label.classList.toggle("second", place === 1);
        if (place >= 0) free[place] = x + wide + 3;
      }
    }
    for (const [box, lasts] of said) box.classList.toggle("tiny", lasts * pps < 30);
  }
  const fit = () => zoom(0);
  byId("fit").onclick = fit;
  byId("in").onclick = () => zoom(pps * 1.6);
  byId("out").onclick = () => zoom(pps / 1.6);
  scroll.addEventListener("scroll", draw, { passive: true });
  scroll.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(pps * Math.exp(-event.deltaY / 300), event.clientX - scroll.getBoundingClientRect().left);
  }, { passive: false });
  window.addEventListener("resize", () => (fitted ? fit() : draw()));
  window.addEventListener("beforeprint", () => { document.body.classList.add("printing"); fit(); });
  window.addEventListener("afterprint", () => { document.body.classList.remove("printing"); fit(); });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  // --- playing ---------------------------------------------------------------------------------------
  const recorded = byId("recording").textContent;
  if (recorded) audio.src = URL.createObjectURL(new Blob([bytes(recorded)], { type: "audio/wav" }));
  play.hidden = !audio.src;

  function show(seconds) {
    at = Math.min(length, Math.max(0, seconds));
    cursor.hidden = false;
    cursor.style.setProperty("--t", at);
    clock.textContent = stamp(at, 1);
  }
  // Where the cursor is not in the view's first part, up to most, scroll so that it stands at the part to.
  function keepInView(most, to) {
    const x = at * pps - scroll.scrollLeft;
    if (x >= 0 && x <= scroll.clientWidth * most) return;
    scroll.scrollLeft = at * pps - scroll.clientWidth * to;
    draw();
  }
  function seek(seconds) {
    show(seconds);
    if (audio.src) audio.currentTime = at;
    keepInView(1, 1 / 3);
  }
  function follow() {
    show(audio.currentTime);
    keepInView(0.9, 0.1);
    if (!audio.paused) requestAnimationFrame(follow);
  }
  const toggle = () => { if (audio.src) audio.paused ? audio.play() : audio.pause(); };
  play.onclick = toggle;
  audio.onplay = () => { play.textContent = "Pause"; requestAnimationFrame(follow); };
  audio.onpause = () => { play.textContent = "Play"; };
  audio.onerror = () => { play.hidden = true; };
  inner.addEventListener("click", (event) => seek((event.clientX - inner.getBoundingClientRect().left) / pps));
  scroll.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === " ") toggle(); else if (step) seek(at + step); else return;
    event.preventDefault();
  });
  for (const button of document.querySelectorAll(".seek")) button.onclick = () => seek(Number(button.dataset.at));

  // --- hover details ---------------------------------------------------------------------------------
  document.addEventListener("pointermove", (event) => {
    const over = event.target.closest && event.target.closest("[data-tip]");
    tip.hidden = !over;
    if (!over) return;
    tip.textContent = over.dataset.tip;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(8, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + "px";
    tip.style.top = (event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 12 : event.clientY + 18) + "px";
  });
  fit();
})();
