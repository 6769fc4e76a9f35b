// The coordinator's address is part of the page's own address, and stands in no file.
const found = decodeURIComponent(location.pathname).match(/\/datasites\/([^/]+@[^/]+)\//);
if (found) {
  for (const place of document.querySelectorAll(".coordinator")) place.textContent = found[1];
  document.getElementById("where").hidden = true;
}
