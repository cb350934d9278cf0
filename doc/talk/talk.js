// Arrow keys, Page Up and Down, space, Home and End turn the slides; n shows or hides all notes.
const slides = [...document.querySelectorAll("section")];

function shown() {
  const distances = slides.map((slide) => Math.abs(slide.getBoundingClientRect().top));
  return distances.indexOf(Math.min(...distances));
}

function show(number) {
  const slide = slides[Math.max(0, Math.min(number, slides.length - 1))];
  slide.scrollIntoView();
  history.replaceState(null, "", `#${slide.id}`);
}

const turns = {
  ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1,
  ArrowLeft: -1, ArrowUp: -1, PageUp: -1,
  Home: -Infinity, End: Infinity,
};

addEventListener("keydown", (event) => {
  const onButton = event.key === " " && event.target.closest("summary");
  if (event.altKey || event.ctrlKey || event.metaKey || onButton) return;
  if (event.key in turns) {
    event.preventDefault();
    show(shown() + turns[event.key] * (event.shiftKey && event.key === " " ? -1 : 1));
  } else if (event.key === "n") {
    const notes = [...document.querySelectorAll(".notes")];
    const open = notes.some((each) => !each.open);
    for (const each of notes) each.open = open;
  }
});
