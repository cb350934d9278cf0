// What scrolls sideways can be reached and scrolled by keyboard.
document.querySelectorAll("pre, .table-wrapper").forEach((box) => { box.tabIndex = 0; });
// Sphinx calls the captions of the menu headings, and does not say of which level.
document.querySelectorAll('.caption[role="heading"]').forEach((caption) => { caption.ariaLevel = "2"; });
