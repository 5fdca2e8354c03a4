"use strict"
// Draws the charts from the data in this page, and lets the legends switch lines on and off.
const told = document.getElementById("charts").textContent
const dark = window.matchMedia("(prefers-color-scheme: dark)").matches
let charts = JSON.parse(told)
if (Object.keys(charts.roots).length) {
  try {
    const formats = Bokeh.require("core/util/templating").DEFAULT_FORMATTERS
    const written = formats.printf
    formats.printf = (...given) => written(...given).replace(/^-/, "\u2212") // as at the axes
  } catch { // another BokehJS: the mouse says it with a hyphen
  }
}
if (Object.keys(charts.roots).length) {
  if (dark) {
    const inks = new Map(Object.entries(charts.on_dark))
    const keys = charts.keys
    charts = JSON.parse(told, (_, value) => inks.get(value) ?? value)
    charts.keys = keys
  }
  const items = [{docid: "report", roots: charts.roots, root_ids: Object.keys(charts.roots)}]
  Bokeh.embed.embed_items(charts.docs, items).then(() => {
    const drawn = Bokeh.documents[0]
    for (const button of document.querySelectorAll("button[data-key]")) {
      button.addEventListener("click", () => {
        const show = button.getAttribute("aria-pressed") !== "true"
        for (const id of charts.keys[button.dataset.key]) drawn.get_model_by_id(id).visible = show
        for (const other of document.querySelectorAll("button[data-key]")) {
          if (other.dataset.key === button.dataset.key) other.setAttribute("aria-pressed", String(show))
        }
      })
    }
    document.documentElement.dataset.drawn = "yes"
  })
}
