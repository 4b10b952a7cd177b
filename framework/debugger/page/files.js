// @ts-check
// Traces and pages as files: saved, loaded (chosen or dropped onto the page), exported.

import { element } from "./dom.js";
import { fileName, saveBlob } from "./clipboard.js";

export class Files {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    this.input = /** @type {HTMLInputElement} */ (element("input", { type: "file", class: "unseen", testid: "load-file", tabindex: "-1", "aria-hidden": "true", on: { change: () => this.take(this.input.files) } }));
    document.body.append(this.input);
    if (session.source.refusal) return;
    document.addEventListener("dragover", (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      this.take(event.dataTransfer.files);
    });
  }

  /** Lets the reader choose a trace. */
  choose() {
    this.input.value = "";
    this.input.click();
  }

  /** @param {FileList | null} files */
  async take(files) {
    for (const file of files ?? []) {
      await this.session.extend(async () => this.session.source.load(await file.text()));
    }
  }

  async save() {
    const { session } = this;
    const { moment } = session.focus;
    try {
      saveBlob(await session.source.save(moment), `${fileName(session.info.title)}-${moment}.trace`);
    } catch (error) {
      session.failed.emit(/** @type {Error} */ (error).message);
    }
  }

  async exportPage() {
    const { session } = this;
    const { moment } = session.focus;
    try {
      saveBlob(await session.source.exportFile(moment), `${fileName(session.info.title)}-${moment}.html`);
    } catch (error) {
      session.failed.emit(/** @type {Error} */ (error).message);
    }
  }
}
