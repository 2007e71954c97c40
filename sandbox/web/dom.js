// Build DOM elements from plain values. Output of programs only ever becomes text nodes, never markup.

export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat(2).filter(Boolean));
}

// Announce a text to screen readers without showing it.
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

let fields = 0;

// Return a control with its label and an optional hint.
export function field(label, control, hint) {
  control.id ||= `field-${(fields += 1)}`;
  const parts = [h("label", { for: control.id }, label), control];
  if (hint) {
    parts.push(h("span", { class: "hint", id: `${control.id}-hint` }, hint));
    control.setAttribute("aria-describedby", `${control.id}-hint`);
  }
  return h("div", { class: "field" }, parts);
}

export function shorten(text, length) {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
