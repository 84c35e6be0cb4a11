// The picture: a stream of JPEGs, drawn on a canvas. An <img> would stop without a word.

const SILENT = 8000;  // milliseconds: the show repeats its last frame every 5 s
const PAUSES = [250, 500, 1000, 2000];

export class Player {
  /** Draw the stream on a canvas until the show wants another token; `tell` gets "playing", "lost" or an HTTP status. */
  constructor(canvas, tell = () => {}) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", {alpha: false});
    this.tell = tell;
    this.next = null;      // the newest picture that was not drawn yet
    this.drawing = false;
    this.play();
  }

  async play() {
    for (let tries = 0; ; tries++) {
      let end = "lost";
      try {
        end = await this.watch(() => { tries = 0; }) ?? end;
      } catch { /* a broken stream is opened again */ }
      this.tell(end);
      await new Promise((go) => {
        this.go = go;
        if (end !== 401) setTimeout(go, PAUSES[Math.min(tries, PAUSES.length - 1)]);
      });
    }
  }

  /** Open the stream again now. */
  again() {
    this.abort?.abort();
    this.go?.();
  }

  async watch(played) {
    const abort = this.abort = new AbortController();
    let timer = setTimeout(() => abort.abort(), SILENT);
    try {
      const answer = await fetch("stream.mjpeg", {signal: abort.signal, cache: "no-store"});
      if (!answer.ok) return answer.status;
      const reader = answer.body.getReader(), parts = new Parts();
      for (;;) {
        const {done, value} = await reader.read();
        if (done) return undefined;
        clearTimeout(timer);
        timer = setTimeout(() => abort.abort(), SILENT);
        parts.add(value);
        for (let jpeg; (jpeg = parts.take());) {
          this.next = jpeg;
          played();
        }
        this.draw();
      }
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
  }

  async draw() {
    if (this.drawing) return;
    this.drawing = true;
    while (this.next) {
      const jpeg = this.next;
      this.next = null;
      try {
        const picture = await createImageBitmap(new Blob([jpeg], {type: "image/jpeg"}));
        const {canvas} = this, {width, height} = picture;
        if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
        this.pen.drawImage(picture, 0, 0);
        picture.close();
        this.tell("playing");
      } catch { /* a damaged picture is left out */ }
    }
    this.drawing = false;
  }
}

/** Cuts a multipart stream into its parts. */
class Parts {
  constructor() {
    this.bytes = new Uint8Array(1 << 18);
    this.length = 0;
  }

  add(piece) {
    if (this.length + piece.length > this.bytes.length) {
      const larger = new Uint8Array(2 * (this.length + piece.length));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(piece, this.length);
    this.length += piece.length;
  }

  /** Return the next whole part, if there is one. */
  take() {
    const head = new TextDecoder("latin1").decode(this.bytes.subarray(0, Math.min(this.length, 400)));
    const end = head.indexOf("\r\n\r\n");
    const size = /content-length: *(\d+)/i.exec(head.slice(0, Math.max(end, 0)));
    if (!size) return null;
    const start = end + 4, after = start + Number(size[1]);
    if (this.length < after) return null;
    const part = this.bytes.slice(start, after);
    this.bytes.copyWithin(0, after, this.length);
    this.length -= after;
    return part;
  }
}
