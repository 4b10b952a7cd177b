// @ts-check
// Opens the page: the diagram at once from the session and its columns, then everything around it.

import { openSource } from "./source.js";
import { Focus, followAddress, momentOfAddress } from "./focus.js";
import { Session } from "./session.js";
import { Titles } from "./titles.js";
import { paintSmallIcons } from "./icons.js";
import { Theme } from "./theme.js";
import { Tooltip } from "./tooltip.js";
import { Announcer } from "./announce.js";
import { Diagram } from "./diagram.js";
import { Minimap } from "./minimap.js";
import { LaneHeads } from "./lanes.js";
import { showLegend } from "./legend.js";
import { EventList } from "./events.js";
import { HistoryPane } from "./history.js";
import { NodesPane } from "./nodes.js";
import { Inspector } from "./inspector.js";
import { ClaimsPane } from "./claims.js";
import { Why } from "./why.js";
import { Comparison } from "./compare.js";
import { Jobs } from "./jobs.js";
import { Explore } from "./explore.js";
import { Files } from "./files.js";
import { Player } from "./player.js";
import { Toolbar } from "./toolbar.js";
import { Tabs, divide } from "./tabs.js";
import { makeCommands } from "./commands.js";
import { Palette } from "./palette.js";
import { showHelp } from "./help.js";
import { Keys } from "./keys.js";

/** @param {string} id
 *  @returns {any} */
function place(id) {
  return document.getElementById(id);
}

async function openPage() {
  const announcer = new Announcer(place("toasts"), place("told"));
  try {
    const source = openSource();
    const [info, columns] = await Promise.all([source.session(), source.columns(0)]);
    const session = new Session(source, new Focus(), info, columns);
    session.failed.on((words) => announcer.toast(words));
    document.title = `${info.title.slice(0, 100)} - Synod debugger`;
    const theme = new Theme();
    const titles = new Titles(session);
    const diagram = new Diagram(place("diagram"), session, theme, new Tooltip(document.body), titles);
    new LaneHeads(place("lanes"), diagram);
    const asked = momentOfAddress() ?? info.head;
    diagram.fit();
    session.travel(asked < session.columns.count ? asked : info.head);
    diagram.draw();
    performance.mark("diagram-drawn");
    await painted();
    furnish(session, diagram, titles, theme, announcer);
    for (const remark of info.remarks) announcer.toast(remark, "note");
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    announcer.toast(/** @type {Error} */ (error).message);
    throw error;
  }
}

/**
 * Everything around the diagram.
 * @param {Session} session
 * @param {Diagram} diagram
 * @param {Titles} titles
 * @param {Theme} theme
 * @param {Announcer} announcer
 */
function furnish(session, diagram, titles, theme, announcer) {
  const { focus } = session;
  /** @param {string} reason */
  const refuse = (reason) => announcer.toast(reason, "note");
  const left = new Tabs(place("left-tabs"), tabsOf(["events", "history"]));
  const right = new Tabs(place("right-tabs"), tabsOf(["nodes", "inspector", "claims"]));
  new Minimap(place("minimap"), diagram);
  showLegend(place("legend"), theme, session);
  paintSmallIcons(theme);
  const why = new Why(session);
  const events = new EventList(place("events"), session, titles);
  const history = new HistoryPane(place("history"), session);
  const nodes = new NodesPane(place("nodes"), session, (node, path) => {
    if (session.source.refusal) {
      refuse("Why it is so can not be asked: " + session.source.refusal + ".");
      return;
    }
    right.show("inspector");
    why.ask(node, path);
  });
  const inspector = new Inspector(place("inspector"), session, why, titles);
  const claims = new ClaimsPane(place("claims"), session, right);
  /** @type {Record<string, { update: (isFollowing: boolean) => void }>} */
  const panes = { events, history, nodes, inspector, claims };
  for (const tabs of [left, right]) tabs.turned.on((name) => panes[name].update(true));
  const comparison = new Comparison(place("centre"), session);
  const jobs = new Jobs(session);
  const explore = new Explore(place("explore"), session, jobs);
  const files = new Files(session);
  const player = new Player(session);
  const toolbar = new Toolbar(place("toolbar"), session, player, diagram);
  /** @type {import("./acts.js").Command[]} */
  const commands = makeCommands({
    session, diagram, player, left, right, events, history, why, comparison, explore, jobs, files,
    openPalette: () => palette.open(),
    openHelp: () => showHelp(commands, session.info.request_help),
    openGoto: () => toolbar.goto.focus(),
  });
  const palette = new Palette(session, commands, refuse);
  toolbar.fill(commands);
  new Keys(commands, refuse, () => {
    if (player.isPlaying) player.stop();
    else if (focus.chain) why.clear();
    else if (comparison.isOpen) comparison.close();
    else focus.change({ node: -1 });
  });
  divide(place("left-divider"), place("panes"), "--left", 1);
  divide(place("right-divider"), place("panes"), "--right", -1);
  followAddress(focus, (moment) => session.travel(moment));
  session.arrived.on((told) => {
    announcer.tell(told.told ?? told.title);
    document.documentElement.dataset.focus = String(told.moment);
  });
  events.update(true);
  // What came while all this was made is told again.
  if (session.now) session.arrived.emit(session.now);
}

/** Waits until what was drawn is in sight; a page in the background, which paints nothing, does not wait long. */
function painted() {
  return new Promise((done) => {
    requestAnimationFrame(() => setTimeout(done));
    setTimeout(done, 60);
  });
}

/** The tabs over the panes of these names.
 *  @param {string[]} names */
function tabsOf(names) {
  return names.map((name) => ({ name, text: name[0].toUpperCase() + name.slice(1), body: place(name) }));
}

// The script may stand in the page's head, where the page is not there yet.
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", openPage);
else openPage();
