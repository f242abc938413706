// What scrolls sideways can be reached and scrolled by keyboard, and headings of the contents have a level.
document.addEventListener("DOMContentLoaded", () => {
  for (const block of document.querySelectorAll(".highlight pre, .table-wrapper")) block.tabIndex = 0;
  for (const caption of document.querySelectorAll('.caption[role="heading"]')) caption.ariaLevel = "2";
});
