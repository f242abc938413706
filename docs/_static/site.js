// What scrolls sideways shows that it does, and can be reached and scrolled by keyboard; names break where they may,
// headings of the contents have a level, and each region of the page has a name.
document.addEventListener("DOMContentLoaded", () => {
  for (const block of document.querySelectorAll(".highlight pre, .table-wrapper")) {
    block.tabIndex = 0;
    const hint = () =>
      block.classList.toggle("more-right", block.scrollLeft + block.clientWidth < block.scrollWidth - 2);
    block.addEventListener("scroll", hint);
    new ResizeObserver(hint).observe(block);
  }
  for (const word of document.querySelectorAll("code.literal .pre")) {
    const text = word.textContent;
    if (text.startsWith("-") && text.length < 24) word.classList.add("whole");
    else if (text.length > (word.closest("td:first-child") ? 14 : word.closest("table") ? 12 : 30))
      word.innerHTML = word.innerHTML.replace(/(?<=[A-Za-z\d)])[_./(,=]+(?=[\w["'])|(?<=[a-z])(?=[A-Z])/g, "$&<wbr>");
  }
  for (const caption of document.querySelectorAll('.caption[role="heading"]')) caption.ariaLevel = "2";
  for (const [place, name] of [[".sidebar-drawer", "All pages"], [".toc-drawer", "This page"]])
    for (const region of document.querySelectorAll(place)) region.ariaLabel = name;
  for (const signs of document.querySelectorAll(".content-icon-container")) {
    signs.role = "navigation";
    signs.ariaLabel = "Source and colours";
  }
  // Sphinx adds the heading of the results later, a level too low for a page of its own.
  const results = document.querySelector("#search-results");
  const raise = () => results.querySelectorAll("h2").forEach((heading) => (heading.ariaLevel = "1"));
  if (results) new MutationObserver(raise).observe(results, { childList: true, subtree: true });
});
