// Elements made of text, never of markup: whatever a title or a query holds, it is shown as it is.

export const $ = (id) => document.getElementById(id);

// An element with attributes and children; null children are left out.
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// 1:02:03, or 2:03 under an hour.
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

// A text with the words of the query in <mark>. Stems are met roughly: it only guides the eye.
export function marked(text, terms) {
  const wanted = terms.map((term) => term.toLowerCase());
  const meets = (word) =>
    wanted.some((term) => word.startsWith(term) || (word.length > 3 && term.startsWith(word)));
  const parts = text.split(/([\p{L}\p{M}\p{N}']+)/u);
  return parts.map((part, place) =>
    place % 2 && meets(part.toLowerCase()) ? el("mark", {}, part) : part,
  );
}

// A picture that says so where there is none.
export function picture(videoId, seconds, side) {
  const at = Math.max(0, seconds).toFixed(1);
  const source = `/api/videos/${encodeURIComponent(videoId)}/picture.jpg?at=${at}&side=${side}`;
  const frame = el("span", { class: "frame" });
  const image = el("img", { src: source, alt: "", loading: "lazy", decoding: "async" });
  image.addEventListener("load", () => frame.classList.add("there"));
  image.addEventListener("error", () => image.replaceWith(el("span", { class: "none" }, "no picture")));
  frame.append(image);
  return frame;
}

// Only addresses on the web are followed.
export function webLink(address, ...children) {
  if (!/^https?:\/\//i.test(address)) return el("span", {}, ...children);
  return el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, ...children);
}
