"use strict";
// Positions come from CSS: every item knows its second, and the zoom is one custom property, --pps (pixels per
// second). What is left for script: the waveforms, zooming, playing, and the hover details.
(() => {
  const byId = (id) => document.getElementById(id);
  const scroll = byId("scroll"), inner = byId("inner"), canvas = byId("canvas"), audio = byId("audio");
  const play = byId("play"), clock = byId("clock"), cursor = byId("cursor"), tip = byId("tip");
  const length = Number(getComputedStyle(inner).getPropertyValue("--length"));
  const HEIGHT = 416, LANES = { caller: 168, agent: 262 }, HALF = 32, MOST = 800;
  const ROWS = 3, WIDEST = 440, READABLE = 130, SHORTEST = 84;
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
  const labels = [[".pin.turn, .pin.intr", 2], [".pin.low", 2], [".gap b", 1]].map(([kind, rows]) => [rows,
    [...inner.querySelectorAll(kind)].map((label) => {
      const wide = label.offsetWidth, gap = label.closest(".gap");
      const second = gap ? number(gap, "--s") + number(gap, "--d") / 2 : number(label, "--s");
      return { label, second, wide, left: gap ? wide / 2 : 0 };
    }).sort((a, b) => a.second - b.second)]);
  const said = ["caller", "agent"].map((side) => [...inner.querySelectorAll(".say." + side)].map((box) => {
    const text = box.firstElementChild;
    return { box, text, second: number(box, "--s"), wide: Math.min(WIDEST, text.offsetWidth + 1) };
  }).sort((a, b) => a.second - b.second));
  function thin() {
    const right = Math.max(scroll.clientWidth, length * pps);
    for (const [rows, row] of labels) {
      const free = Array(rows).fill(-Infinity);
      for (const { label, second, wide, left } of row) {
        const middle = left > 0, most = middle ? Infinity : right - wide;
        const x = Math.max(0, Math.min(second * pps - left, most)), place = free.findIndex((end) => end <= x);
        if (!middle) label.style.setProperty("--back", second * pps - x + "px");
        label.classList.toggle("covered", place < 0);
        label.classList.toggle("second", place === 1);
        if (place >= 0) free[place] = x + wide + 3;
      }
    }
    for (const side of said) caption(side, right);
  }
  // Captions take the row nearest to the waveform that is free. Where none is, the one that began first gives way
  // as far as it can still be read; a caption that finds no room at all waits for more zoom. At the end of the
  // axis a caption moves a little to the left.
  function caption(side, right) {
    const rows = Array.from({ length: ROWS }, () => null);
    const free = (x) => rows.findIndex((last) => !last || last.left + last.most + 4 <= x);
    for (const one of side) {
      const x = one.second * pps;
      one.left = Math.max(0, Math.min(x, right - Math.min(one.wide, READABLE)));
      one.row = free(one.left);
      if (one.row < 0) {
        const first = rows.reduce((best, last, n) => (last.left < rows[best].left ? n : best), 0);
        const room = one.left - rows[first].left - 4;
        if (room >= SHORTEST) {
          rows[first].most = Math.min(rows[first].most, room);
          one.row = first;
        }
      }
      one.most = Math.min(one.wide, right - one.left);
      if (one.row >= 0) rows[one.row] = one;
    }
    for (const { box, text, second, row, most, left } of side) {
      box.classList.toggle("covered", row < 0);
      box.style.setProperty("--row", Math.max(0, row));
      box.style.setProperty("--shift", left - second * pps + "px");
      text.style.maxWidth = most + "px";
    }
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
    const caption = event.target.closest(".say");
    if (event.key === " ") toggle();
    else if (event.key === "Enter" && caption) seek(number(caption, "--s"));
    else if (step) seek(at + step);
    else return;
    event.preventDefault();
  });
  for (const button of document.querySelectorAll(".seek")) button.onclick = () => seek(Number(button.dataset.at));

  // --- hover details ---------------------------------------------------------------------------------
  function tell(over, x, y) {
    tip.hidden = !over;
    if (!over) return;
    tip.textContent = over.dataset.tip;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(8, Math.min(x + 14, innerWidth - box.width - 8)) + "px";
    tip.style.top = (y + 18 + box.height > innerHeight ? y - box.height - 12 : y + 18) + "px";
  }
  const told = (event) => event.target.closest && event.target.closest("[data-tip]");
  document.addEventListener("pointermove", (event) => tell(told(event), event.clientX, event.clientY));
  document.addEventListener("focusin", (event) => {
    const box = event.target.getBoundingClientRect();
    if (event.target.matches(":focus-visible")) tell(told(event), box.left, box.bottom - 10);
  });
  document.addEventListener("focusout", () => tell(null));
  fit();
})();
