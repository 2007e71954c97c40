// Asked of the page by test_look.py: what has no name, and which texts stand on which ground.

({
  // Controls without an accessible name, ids that stand twice, images without a text, labels that label nothing.
  nameless: () => {
    const faults = [];
    const seen = new Set();
    for (const element of document.querySelectorAll('[id]')) {
      if (seen.has(element.id)) faults.push('twice: ' + element.id);
      seen.add(element.id);
    }
    const visible = (element) => element.checkVisibility() && !element.closest('[aria-hidden=true]');
    for (const element of document.querySelectorAll('button, a, input, select, textarea, [role=tab], [tabindex="0"], progress, svg[role=img]')) {
      if (!visible(element)) continue;
      const labelled = (element.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join('');
      const name = element.getAttribute('aria-label') || labelled || [...(element.labels ?? [])].map((label) => label.textContent).join('') ||
        (['BUTTON', 'A', 'SUMMARY'].includes(element.tagName) ? element.textContent : '');
      if (!name.trim()) faults.push('no name: ' + element.outerHTML.slice(0, 120));
    }
    for (const image of document.querySelectorAll('img:not([alt])')) faults.push('no alt: ' + image.src);
    for (const label of document.querySelectorAll('label[for]')) if (!document.getElementById(label.htmlFor)) faults.push('label for nothing: ' + label.htmlFor);
    for (const name of ['aria-describedby', 'aria-controls', 'aria-labelledby']) {
      for (const element of document.querySelectorAll(`[${name}]`)) {
        if (visible(element) && !document.getElementById(element.getAttribute(name))) faults.push(name + ' leads nowhere: ' + element.getAttribute(name));
      }
    }
    return faults;
  },

  // Every visible text with its colour, the ground below it, size and weight.
  texts: () => {
    const numbers = (colour) => {
      const found = colour.match(/[\d.]+/g).map(Number);
      return colour.startsWith('color(') ? [found[0] * 255, found[1] * 255, found[2] * 255, found[3] ?? 1] : [found[0], found[1], found[2], found[3] ?? 1];
    };
    const over = (top, below) => [0, 1, 2].map((index) => top[index] * top[3] + below[index] * (1 - top[3])).concat(1);
    const ground = (element) => {
      const layers = [];
      for (let each = element; each; each = each.parentElement) layers.push(numbers(getComputedStyle(each).backgroundColor));
      return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
    };
    const faults = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const elements = new Set();
    while (walker.nextNode()) if (walker.currentNode.data.trim()) elements.add(walker.currentNode.parentElement);
    for (const element of document.querySelectorAll('input, select, textarea')) elements.add(element);
    return [...elements].filter((element) => element.checkVisibility() && !element.closest('option, .sr-only, .skip, noscript, .waiting, :disabled')).map((element) => {
      const style = getComputedStyle(element);
      const below = ground(element);
      const colour = numbers(style.color);
      return {text: (element.textContent || element.value || '').trim().slice(0, 40), where: element.className || element.tagName,
        colour: over(colour, below), alpha: colour[3], ground: below, size: parseFloat(style.fontSize), weight: Number(style.fontWeight)};
    }).filter((each) => each.alpha > 0);
  },
})
