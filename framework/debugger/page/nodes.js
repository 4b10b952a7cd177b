// @ts-check
// A card for each node: how it is, what waits at it, its disk, its user, its state, and what can be done to it.

import { element, patch, setAttribute, setReason, setText, setTip } from "./dom.js";
import { button, icon } from "./icons.js";
import { statusMark, setStatus } from "./lanes.js";
import { showInbox, showTimers, hiddenOf } from "./queues.js";
import { showStrips } from "./strip.js";
import { StateTree } from "./tree.js";
import { Links } from "./links.js";

/** What can be done to a node, with words for it. */
export const NODE_ACTIONS = [
  { do: "start", words: "Start" },
  { do: "crash", words: "Crash, what is not durable is lost" },
  { do: "crash_keeping", words: "Crash, what it wrote becomes durable first" },
  { do: "restart", words: "Restart" },
  { do: "pause", words: "Pause" },
  { do: "resume", words: "Resume" },
  { do: "durable", words: "What it wrote becomes durable" },
];

export class NodesPane {
  /**
   * @param {HTMLElement} place
   * @param {import("./session.js").Session} session
   * @param {(node: string, path: string, field: any) => void} askWhy
   */
  constructor(place, session, askWhy) {
    this.place = place;
    this.session = session;
    this.askWhy = askWhy;
    this.cards = element("div", { class: "cards" });
    place.append(this.cards);
    this.links = new Links(place, session);
    /** @type {Map<string, StateTree>} */
    this.trees = new Map();
    /** Whose queues are shown to their ends. @type {Set<string>} */
    this.whole = new Set();
    /** @type {Set<string>} */
    this.closed = new Set();
    session.arrived.on(() => this.update());
    session.grew.on(() => this.trees.forEach((tree) => tree.forget()));
    session.focus.changed.on((names) => {
      if (names.has("node")) this.select();
    });
  }

  update() {
    const { now } = this.session;
    if (!now || this.place.hidden) return;
    patch(this.cards, now.nodes ?? [], (node) => node.name, (node) => this.create(node.name), (card, node) => this.updateCard(card, node));
    this.links.update(now.cuts ?? []);
    this.select();
  }

  select() {
    const { focus, info } = this.session;
    const name = info.nodes[focus.node]?.name;
    for (const card of this.cards.children) {
      const isSelected = /** @type {HTMLElement} */ (card).dataset.node === name;
      if (isSelected && !card.classList.contains("selected")) card.scrollIntoView({ block: "nearest" });
      card.classList.toggle("selected", isSelected);
    }
  }

  /** @param {string} name */
  create(name) {
    const { session } = this;
    const { is_client = false } = session.info.nodes[session.nodeNumber(name)] ?? {};
    const select = element("button", { type: "button", class: "node-name", testid: "select-" + name, tip: "Select this node", on: { click: () => {
      const node = session.nodeNumber(name);
      session.focus.change({ node: session.focus.node === node ? -1 : node });
    } } }, statusMark(), element("b", { text: name }), element("span", { class: "term" }), element("span", { class: "badge" }));
    const actions = element("div", { class: "actions" });
    const offered = is_client ? [...NODE_ACTIONS, { do: "give_up", words: "The user gives up waiting" }] : NODE_ACTIONS;
    for (const action of offered) {
      actions.append(button({ testid: `${action.do}-${name}`, icon: action.do, label: `${action.words} (${name})`, class: "quiet small", run: () => session.act({ do: action.do, node: name }) }));
    }
    const card = element("article", { class: "card", testid: "node-" + name, "data-node": name, "aria-label": "Node " + name },
      element("header", {}, select, actions),
      element("div", { class: "inbox" }),
      element("div", { class: "timers" }),
      element("button", { type: "button", class: "link more", on: { click: () => {
        if (!this.whole.delete(name)) this.whole.add(name);
        this.update();
      } } }),
      this.createUser(name),
      element("div", { class: "disk" }),
      element("div", { class: "strips" }),
      this.createState(name));
    return card;
  }

  /** @param {string} name */
  createUser(name) {
    const { session } = this;
    const text = /** @type {HTMLInputElement} */ (element("input", { type: "text", class: "grow", testid: `request-${name}-text`, "aria-label": `A request of ${name}'s user`, spellcheck: "false" }));
    const send = button({ testid: `request-${name}-send`, icon: "request", label: "Ask this; if the field is empty, what the user has next", class: "quiet small strong", run: () => {
      const wish = text.value.trim();
      session.act(wish ? { do: "request", node: name, text: wish } : { do: "request", node: name });
    } });
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter") send.click();
    });
    return element("div", { class: "user" }, element("div", { class: "waiting" }), element("div", { class: "ask" }, text, send));
  }

  /** @param {string} name */
  createState(name) {
    const place = element("div", { class: "tree", role: "tree", "aria-label": "State of " + name });
    const tree = new StateTree(place, this.session, name, (path, field) => this.askWhy(name, path, field));
    const fold = /** @type {HTMLDetailsElement} */ (element("details", { class: "state", testid: "state-" + name },
      element("summary", { testid: "state-open-" + name }, icon("chevron"), element("span", { text: "State" })), place));
    fold.addEventListener("toggle", () => {
      if (fold.open) {
        this.trees.set(name, tree);
        tree.load();
      } else this.trees.delete(name);
    });
    return fold;
  }

  /** @param {HTMLElement} card
   *  @param {any} node */
  updateCard(card, node) {
    const { session } = this;
    const { refusal } = session.source;
    const [header, inbox, timers, more, user, disk, strips] = /** @type {any} */ (card.children);
    const [mark, , term, badge] = header.children[0].children;
    setStatus(mark, node.status ?? "running");
    setTip(header.children[0], `${node.name}: ${node.status}${node.term ? `, term ${node.term}` : ""}${node.leads ? ", leads" : ""}`);
    setText(term, node.term ?? "", 30);
    setText(badge, node.leads ? "leads" : node.status === "running" ? "" : node.status ?? "");
    badge.hidden = !badge.textContent;
    card.classList.toggle("leads", Boolean(node.leads));
    card.classList.toggle("changed", Boolean(node.is_changed));
    for (const made of header.children[1].children) {
      const name = made.dataset.testid.slice(0, -node.name.length - 1);
      setReason(made, refusal ?? node.actions?.[name]);
    }
    const isAll = this.whole.has(node.name);
    showInbox(inbox, node.inbox ?? [], session, isAll);
    showTimers(timers, node.timers ?? [], session, isAll);
    const hidden = hiddenOf((node.inbox ?? []).length, session) + hiddenOf((node.timers ?? []).length, session);
    more.hidden = hidden === 0;
    setText(more, isAll ? "show fewer" : `${hidden} more: show`);
    this.updateUser(user, node);
    this.updateDisk(disk, node.disk);
    const filled = (node.strip ?? []).filter((/** @type {import("./strip.js").Strip} */ strip) => strip.cells.length > 0);
    strips.hidden = !filled.length;
    showStrips(strips, filled);
    this.trees.get(node.name)?.load();
  }

  /** @param {any} place
   *  @param {any} node */
  updateUser(place, node) {
    const { session } = this;
    const { user } = node;
    place.hidden = !user;
    if (!user) return;
    const [waiting, ask] = place.children;
    const lines = (user.waiting ?? []).map((/** @type {any} */ one) => ({ key: one.id, at: one.asked_at, text: `waits since ${one.asked_at}: ${one.text}` }));
    if (user.answered) lines.push({ key: "answered", at: -1, text: `${user.answered} answered` });
    patch(waiting, lines, (line) => line.key, () => element("button", { type: "button", class: "link-quiet text" }), (made, line) => {
      setText(made, line.text, 120);
      setTip(made, line.text);
      made.onclick = () => line.at >= 0 && session.travel(line.at);
    });
    ask.hidden = !session.info.request_help && user.next === null;
    const [text, send] = ask.children;
    text.hidden = !session.info.request_help;
    setAttribute(text, "placeholder", user.next ?? session.info.request_help);
    setTip(text, `${session.info.request_help ?? ""}\n${user.next ? "Empty: " + user.next : ""}`.trim());
    text.disabled = session.source.refusal !== null;
    setReason(send, session.source.refusal ?? node.actions?.request);
  }

  /** @param {HTMLElement} place
   *  @param {any} disk */
  updateDisk(place, disk) {
    place.hidden = !disk || (!disk.records && !disk.writing?.length && !disk.checkpoint);
    if (place.hidden) return;
    const writing = disk.writing?.length ?? 0;
    setText(place, [`disk: ${disk.records} ${disk.records === 1 ? "record" : "records"}`, writing ? `${writing} not durable yet` : "", disk.checkpoint ? "checkpoint" : ""].filter(Boolean).join(", "));
    place.classList.toggle("unsafe", writing > 0);
    setTip(place, [
      disk.checkpoint ? "checkpoint: " + disk.checkpoint : "",
      ...(disk.last ?? []).map((/** @type {string} */ line) => "durable: " + line),
      ...(disk.writing ?? []).map((/** @type {string} */ line) => "not yet: " + line),
    ].filter(Boolean).join("\n").slice(0, 900) || null);
  }
}
