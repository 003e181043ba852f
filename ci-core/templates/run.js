(() => {
  const box = document.getElementById("search");
  const field = document.getElementById("query");
  const told = document.getElementById("found");
  if (!box || !field || !told) return;
  box.hidden = false;
  const steps = [...document.querySelectorAll("#logs details.step")];
  const jobs = [...document.querySelectorAll("#logs details.log")];
  const open = new Map([...steps, ...jobs].map((it) => [it, it.open]));
  const texts = new Map(steps.map((it) => [it, it.querySelector("pre").textContent]));
  const show = () => {
    const query = field.value.toLowerCase();
    let lines = 0;
    for (const step of steps) {
      const pre = step.querySelector("pre");
      const text = texts.get(step);
      if (!query) {
        pre.textContent = text;
        step.hidden = false;
        step.open = open.get(step);
        continue;
      }
      pre.textContent = "";
      let hits = 0;
      for (const line of text.split("\n")) {
        const at = line.toLowerCase().indexOf(query);
        if (at < 0) {
          pre.append(line + "\n");
          continue;
        }
        hits += 1;
        const mark = document.createElement("mark");
        mark.textContent = line.slice(at, at + query.length);
        pre.append(line.slice(0, at), mark, line.slice(at + query.length) + "\n");
      }
      lines += hits;
      step.hidden = hits === 0;
      step.open = hits > 0;
    }
    for (const job of jobs) {
      const any = !query || job.querySelector("details.step:not([hidden])");
      job.hidden = !any;
      job.open = query ? Boolean(any) : open.get(job);
    }
    told.textContent = query ? `${lines} line${lines === 1 ? "" : "s"} found` : "";
    const first = query && document.querySelector("#logs mark");
    if (first) first.scrollIntoView({ block: "center" });
  };
  let timer = 0;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, 150);
  });
})();
