// The table of hosts and the page of one host. Everything that is shown is set as text, never as markup.
"use strict";
(function () {
  const PAGE = 100;
  const PRINTED = 1000;
  const NAMES = ["on disk", "next start", "running"];
  const MARKS = {ok: "compliant", bad: "violation", open: "unknown"};
  const SVG = "http://www.w3.org/2000/svg";
  const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/g;

  const data = JSON.parse(document.getElementById("data").textContent);
  const verdicts = Object.keys(data.verdicts);
  const collator = new Intl.Collator("en", {numeric: true, sensitivity: "base"});
  const fleet = document.getElementById("fleet");
  const detail = document.getElementById("detail");
  const table = document.getElementById("hosts");
  const body = table.tBodies[0];
  const filter = document.getElementById("filter");
  const state = {key: "verdict", down: false, page: 0, verdicts: new Set(), way: null, last: null};
  const hosts = new Map(data.hosts.map((host) => [host.host, host]));
  let rows = data.hosts;

  // Controls and direction marks are written out, so that no name looks like another one.
  function visible(text) {
    return String(text).replace(UNSEEN, (sign) => "\\u" + sign.charCodeAt(0).toString(16).padStart(4, "0"));
  }

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
    for (const child of children) {
      if (child !== null && child !== "") element.append(typeof child === "object" ? child : visible(child));
    }
    return element;
  }

  function symbol(verdict) {
    const drawing = document.createElementNS(SVG, "svg");
    const use = document.createElementNS(SVG, "use");
    drawing.setAttribute("class", "symbol v-" + verdict);
    drawing.setAttribute("aria-hidden", "true");
    use.setAttribute("href", "#s-" + verdict);
    drawing.append(use);
    return drawing;
  }

  const badge = (host) => make("span", {class: "badge v-" + host.verdict + (past(host) ? " past" : "")},
    symbol(host.verdict), host.verdict.replace(/_/g, " ") + (past(host) ? ` ${age(host)} ago` : ""));

  function cell([text, mark], old) {
    if (!text) return make("span", {class: "muted"}, "–");
    const words = text.replace(/_/g, " ");
    if (!MARKS[mark] || (old && mark === "ok")) return make("span", {class: "state"}, words);
    const told = {ok: "as wanted", bad: "against the policy", open: "open"}[mark];
    return make("span", {class: "state v-" + MARKS[mark], title: told}, symbol(MARKS[mark]), words);
  }

  // -- how old it is by the clock of whoever reads it. A clock that is behind makes nothing younger.

  const MADE = Date.parse(data.made);
  const sinceMade = () => Math.max(0, (Date.now() - MADE) / 1000) || 0;

  function secondsOf(host) {
    if (host.age !== null) return host.age + sinceMade();
    // It was from the future when the page was made.
    const ahead = host.at ? (Date.now() - Date.parse(host.at)) / 1000 : NaN;
    return ahead >= 0 ? ahead : null;
  }

  const settled = new Set(data.settled);

  function tooOld(host) {
    if (data.limit === null) return false;
    const seconds = secondsOf(host);
    return seconds === null ? sinceMade() > data.limit : seconds > data.limit;
  }

  // No waiver outlives its last day, in UTC.
  function ended(host) {
    const waived = host.verdict === "waived" && host.policy.waiver;
    return Boolean(waived) && new Date(MADE + sinceMade() * 1000).toISOString().slice(0, 10) > waived.until;
  }

  // What was settled when the page was made, and is too old by now, or is waived no longer.
  const past = (host) => settled.has(host.verdict) && (tooOld(host) || ended(host));

  function ageWords(seconds) {
    if (seconds >= 172800) return Math.floor(seconds / 86400) + " days";
    if (seconds >= 3600) return Math.floor(seconds / 3600) + " h";
    return seconds >= 60 ? Math.floor(seconds / 60) + " min" : Math.floor(seconds) + " s";
  }

  function age(host) {
    const seconds = secondsOf(host);
    return seconds === null ? (host.at ? "unknown" : "never") : ageWords(seconds);
  }

  function then(host) {
    const was = host.age === null ? "" : `${ageWords(host.age)} old`;
    return was === `${age(host)} old` ? `${was} (${host.at})`
      : was ? `${was} when this page was made, ${age(host)} by now (${host.at})` : `${age(host)} old (${host.at})`;
  }

  // The greens of an old page are none: said at its head, and at the totals. Gives how many hosts have grown too old.
  function grow() {
    const old = data.hosts.filter((host) => host.at && tooOld(host));
    const over = data.hosts.filter(ended);
    const note = document.getElementById("old");
    const made = sinceMade();
    note.hidden = !old.length && !over.length && made < 86400;
    note.textContent = `This page was made ${ageWords(made)} ago.` + (old.length
      ? ` By this computer's clock the evidence of ${old.length} hosts is older than ${ageWords(data.limit)} ` +
        "(telemetry_max_age): what is grey of them was so then, and is not known now." : "") + (over.length ? ` The waivers of ${over.length} hosts have ended since.` : "");
    const verdictsPast = new Set(data.hosts.filter((host) => host.at && past(host)).map((host) => host.verdict));
    for (const button of document.querySelectorAll(".total[data-verdict]")) {
      button.classList.toggle("past", verdictsPast.has(button.dataset.verdict));
    }
    return old.length + over.length;
  }

  const address = (host) => "#/host/" + encodeURIComponent(host);

  // -- what changed

  const changes = data.changes;
  const changed = new Map();
  for (const entry of changes.lines) {
    if (!changed.has(entry[1])) changed.set(entry[1], []);
    changed.get(entry[1]).push(entry);
  }
  const texts = (entry) => [changes.runs[entry[0]].run, changes.runs[entry[0]].by, ...entry.slice(1)];

  function told(run) {
    return make("span", {}, make("code", {}, run.run), run.by ? ` by ${run.by}` : "",
      run.commit ? `, policy ${run.commit}` : "", run.undoes ? `, undoes ${run.undoes}` : "");
  }

  const when = (at) => at.slice(0, 19).replace("T", " ");

  function showChanges() {
    const record = document.getElementById("changes");
    if (!record) return;
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = new Set(rows);
    const found = rows.length < data.hosts.length || words.length
      ? changes.lines.filter((entry) => shown.has(hosts.get(entry[1])) &&
          words.every((word) => texts(entry).join("\n").toLowerCase().includes(word))) : changes.lines;
    record.tBodies[0].replaceChildren(...found.slice(0, PAGE).map((entry) => make("tr", {},
      make("td", {}, told(changes.runs[entry[0]])), make("td", {}, when(entry[2])),
      make("th", {scope: "row"}, make("a", {href: address(entry[1])}, make("bdi", {}, entry[1]))),
      ...entry.slice(3).map((text) => make("td", {}, make("bdi", {}, text || "–"))))));
    document.getElementById("unshown").textContent = found.length > PAGE
      ? `${found.length - PAGE} more changes; the filter narrows them.` : `${found.length} changes`;
  }

  // -- the table

  function hay(host) {
    if (host.hay === undefined) {
      host.hay = [host.host, host.verdict, host.product, host.drift || "", ...host.eventsChanged, ...host.reasons, ...host.warnings,
        ...host.cells.map((one) => one[0]), ...(changed.get(host.host) || []).flatMap(texts)].join("\n").toLowerCase();
    }
    return host.hay;
  }

  function value(host) {
    if (state.key === "verdict") return verdicts.indexOf(host.verdict);
    if (state.key === "age") return secondsOf(host) === null ? Infinity : secondsOf(host);
    if (state.key === "host" || state.key === "product") return host[state.key];
    return host.cells[Number(state.key)][0];
  }

  function compare(one, other) {
    const [first, second] = [one[0], other[0]];
    const order = typeof first === "number" ? (first < second ? -1 : first > second ? 1 : 0) : collator.compare(first, second);
    return (state.down ? -order : order) || one[2] - other[2];
  }

  function choose() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = data.hosts.filter((host) =>
      (!state.verdicts.size || state.verdicts.has(host.verdict)) &&
      (!state.way || host.answers.some((one) => one.via === state.way[0] && one.outcome === state.way[1])) &&
      words.every((word) => hay(host).includes(word)));
    rows = chosen.map((host, number) => [value(host), host, number]).sort(compare).map((entry) => entry[1]);
    state.page = 0;
    show();
    showChanges();
  }

  function line(host) {
    return make("tr", {},
      make("td", {}, badge(host), host.drift ? make("span", {class: "drift"}, host.drift + " drift") : ""),
      make("th", {scope: "row"}, make("a", {href: address(host.host)}, make("bdi", {}, host.host))),
      make("td", {}, host.product.replace(/_/g, " ") || "–"),
      ...host.cells.map((one) => make("td", {}, cell(one, tooOld(host)))),
      make("td", {class: "number"}, age(host)));
  }

  function show(all) {
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    const first = all ? 0 : state.page * PAGE;
    const some = rows.slice(first, first + (all ? PRINTED : PAGE));
    body.replaceChildren(...some.map(line));
    const range = some.length ? `${first + 1}–${first + some.length} of ` : "";
    document.getElementById("shown").textContent =
      `${range}${rows.length} hosts` + (rows.length < data.hosts.length ? ` (filtered from ${data.hosts.length})` : "");
    document.getElementById("page").textContent = `page ${state.page + 1} of ${pages}`;
    document.getElementById("previous").disabled = state.page === 0;
    document.getElementById("next").disabled = state.page >= pages - 1;
    document.getElementById("rest").textContent = all && rows.length > some.length
      ? `${rows.length - some.length} more hosts are not printed; the CSV report has them all.`
      : some.length ? "" : "No host matches the filter.";
    for (const head of table.tHead.rows[0].cells) {
      if (head.dataset.key !== state.key) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    }
    for (const button of document.querySelectorAll("[data-verdict]")) {
      button.setAttribute("aria-pressed", String(state.verdicts.has(button.dataset.verdict)));
    }
    const chip = document.getElementById("way");
    chip.hidden = !state.way;
    chip.textContent = state.way ? `${visible(state.way[0])}: ${state.way[1].replace(/_/g, " ")}` : "";
  }

  // -- the page of one host

  function list(title, items, kind) {
    return items.length ? [make("h3", {}, title), make(kind || "ul", {}, ...items.map((item) => make("li", {}, item)))] : [];
  }

  // -- the manual: what a sentence means, and what to do

  const manual = data.manual.entries.map(([name, words]) => [name, new RegExp(words)]);

  const means = (name, text) => make("a", {href: data.manual.page + "#" + name, rel: "noreferrer"}, text);

  function explained(sentence) {
    const found = sentence && manual.find(([, words]) => words.test(sentence));
    return found ? make("span", {}, sentence, " (", means(found[0], "what to do"), ")") : sentence;
  }

  function facts(pairs) {
    return make("dl", {class: "facts"}, ...pairs.filter((pair) => pair[1]).flatMap(
      ([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
  }

  function grid(heads, lines) {
    return make("div", {class: "scroll"}, make("table", {class: "plain"},
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", {scope: "col"}, head)))),
      make("tbody", {}, ...lines.map((cells) => make("tr", {}, ...cells.map((one) => make("td", {}, one || "–")))))));
  }

  function installation(entry, host) {
    const clocks = ["on_disk", "next_start", "running"];
    return [
      make("h3", {}, `Installation ${entry.name}`),
      facts([["Product", entry.product.replace(/_/g, " ") + ", " + entry.packaging], ["Service", entry.service],
        ["Launch options", entry.launch], ["Proof", entry.proof]]),
      make("p", {}, ""),
      grid(["clock", "telemetry", "decided at", "reason"], clocks.map((clock, number) => {
        const mark = entry[clock] === host.policy.desired ? "ok" : entry[clock] === "not_running" ? ""
          : ["enabled", "disabled", "mixed"].includes(entry[clock]) ? "bad" : "open";
        return [NAMES[number], cell([entry[clock], ["enabled", "disabled"].includes(host.policy.desired) ? mark : ""], host.was || tooOld(host)),
          entry.places[number] && make("code", {}, entry.places[number]), explained(entry.why[number])];
      })),
      ...(entry.events ? events(entry.events) : []),
      ...(entry.declarations.length ? [make("h3", {}, "Every mention of the flag"),
        grid(["place", "variable", "value", "effect"], entry.declarations.map(([where, variable, flag, live, reason]) =>
          [make("code", {}, where), variable, make("code", {}, flag), live ? "live" : "no effect: " + reason]))] : []),
      ...(entry.toggle.length ? [make("h3", {}, "CloudBees' toggle"), ...(entry.sending ? [make("p", {}, entry.sending)] : []),
        grid(["place", "telemetry", "seen at", "reason"], entry.toggle.map(([name, value, where, mark, reason]) =>
          [name, value, make("code", {}, [where, mark].filter(Boolean).join(", ")), explained(reason)]))] : []),
      ...(entry.senders.length ? [make("h3", {}, "Senders"),
        grid(["sender", "there", "state", "the flag", "proof, or why it is not known"], entry.senders)] : []),
      ...entry.threads.map((line) => make("p", {}, line)),
      ...(entry.switches.length ? [make("h3", {}, "Other switches"),
        grid(["switch", "on disk", "next start", "running", "reason"], entry.switches)] : []),
    ];
  }

  // What its plugins say they can send; plugins that several hosts have are in the data once.
  function events(found) {
    const rows = [...found.plugins, ...(found.served === null ? [] : [found.served])].flatMap((number) => {
      const [plugin, version, note, list] = data.plugins[number];
      return list.length ? list.map(([name, kind, mark, words]) => [`${plugin} ${version}`, kind,
        make("bdi", {}, name === null ? "–" : name), mark, [words, note].filter(Boolean).join("; ")])
        : [[`${plugin} ${version}`, "", "", "unknown", note]];
    });
    return [
      make("h3", {}, "What its plugins say they send"),
      make("p", {}, `${found.mark}${found.reason ? ": " + found.reason : ""}. Each event would also carry the instance's id, the `
        + "product, its version and the licensed organisation; id and organisation are never read."),
      ...(rows.length ? [grid(["plugin", "kind", "name", "known by", "description"], rows)] : []),
      ...list("Not read", [...found.unread, ...(found.more ? [`and ${found.more} more`] : [])]),
    ];
  }

  function open(host) {
    const policy = host.policy;
    const waived = policy.waiver;
    const title = make("h2", {tabindex: "-1"}, make("bdi", {}, host.host));
    const mend = host.mend.map(([words, where, command]) =>
      make("span", {}, command ? `${words} (${where}):` : words + ".", command ? make("pre", {}, make("code", {}, command)) : ""));
    detail.replaceChildren(
      make("a", {class: "back", href: state.way ? "#/way/" + state.way.map(encodeURIComponent).join("/") : "#/"}, "← Hosts"),
      title,
      make("p", {}, badge(host), ` – ${data.verdicts[host.verdict]} (`, means("verdict-" + host.verdict, "more"), ")"),
      ...(host.posture ? [make("p", {}, host.posture)] : []),
      facts([
        ["Evidence", host.at ? (secondsOf(host) === null ? `its age is not known (${host.at})` : then(host)) : "none"],
        ["Then", host.was && host.was !== host.verdict && `${host.was.replace(/_/g, " ")}, when that was collected`],
        ["Wanted", policy.desired && `telemetry ${policy.desired}, connectivity ${policy.connectivity}, restart ${policy.restart}`],
        ["Drift", host.drift],
        ["Waiver", waived && `until ${waived.until}: ${waived.reason} (approved by ${waived.approved_by}` +
          (waived.ticket ? `, ${waived.ticket})` : ")")],
      ]),
      ...list("Reasons", host.reasons.map(explained)),
      ...list("What mends it", mend, "ol"),
      ...list("Warnings", host.warnings.map(explained)),
      ...list("Events that are new or gone", host.eventsChanged),
      ...host.installations.flatMap((entry) => installation(entry, host)),
      ...(host.answers.length ? [make("h3", {}, "Connectivity"),
        grid(["path", "target", "outcome", "what was seen"], host.answers.map((one) => [make("bdi", {}, one.via), one.target,
          means("outcome-" + one.outcome, one.outcome.replace(/_/g, " ")), [one.message, ...(one.findings || [])].join(" ")]))] : []),
      ...(changed.has(host.host) ? [make("h3", {}, "What changed, when, by which run"),
        grid(["run", "time (UTC)", "done", "to", "how it came out"], changed.get(host.host).map(([run, , at, ...words]) =>
          [told(changes.runs[run]), when(at), ...words.map((text) => text && make("bdi", {}, text))]))] : []));
    return title;
  }

  // -- where one is: #/ the fleet, #/host/NAME one host, #/way/VIA/OUTCOME the hosts of a disc

  function parts() {
    try {
      return location.hash.slice(2).split("/").map(decodeURIComponent);
    } catch (error) {
      return [];
    }
  }

  function route() {
    const [kind, first, second] = parts();
    const host = kind === "host" ? data.hosts.find((one) => one.host === first) : undefined;
    fleet.hidden = Boolean(host);
    detail.hidden = !host;
    if (host) {
      state.last = host.host;
      const title = open(host);
      scrollTo(0, 0);
      title.focus();
      return;
    }
    const way = kind === "way" && second ? [first, second] : null;
    if (String(way) !== String(state.way)) {
      state.way = way;
      choose();
      if (way) document.getElementById("matrix").focus();
    } else if (state.last !== null) {
      // Back from a host: the focus goes where it was.
      const link = [...body.querySelectorAll("a")].find((one) => one.getAttribute("href") === address(state.last));
      state.last = null;
      if (link) link.focus();
    }
  }

  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (!head) return;
    state.down = head.dataset.key === state.key && !state.down;
    state.key = head.dataset.key;
    choose();
  });
  for (const button of document.querySelectorAll("[data-verdict]")) {
    button.addEventListener("click", () => {
      if (!state.verdicts.delete(button.dataset.verdict)) state.verdicts.add(button.dataset.verdict);
      choose();
    });
  }
  filter.addEventListener("input", choose);
  document.getElementById("clear").addEventListener("click", () => {
    filter.value = "";
    state.verdicts.clear();
    if (state.way) location.hash = "#/";
    else choose();
  });
  document.getElementById("previous").addEventListener("click", () => { state.page -= 1; show(); });
  document.getElementById("next").addEventListener("click", () => { state.page += 1; show(); });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("matrix").focus();
  });
  addEventListener("hashchange", route);
  addEventListener("beforeprint", () => show(true));
  addEventListener("afterprint", () => show());
  // A page that stays open gets older, too.
  let greyed = grow();
  setInterval(() => {
    const now = grow();
    if (now === greyed) return;
    greyed = now;
    show();
    const [kind, name] = parts();
    if (kind === "host" && hosts.has(name)) open(hosts.get(name));
  }, 60000);
  choose();
  route();
})();
