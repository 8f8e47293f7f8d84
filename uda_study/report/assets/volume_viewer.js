"use strict";
(async () => {
  const viewer = document.getElementById("viewer");
  const given = JSON.parse(document.getElementById("viewer-cases").textContent);
  const part = (name) => viewer.querySelector(`[data-part="${name}"]`);
  const probe = document.createElement("canvas").getContext("webgl2");
  if (probe === null) return; // the note that is on the page without this script stays
  probe.getExtension("WEBGL_lose_context")?.loseContext();

  part("with").hidden = false;
  const nv = new niivue.Niivue({
    logLevel: "error",
    backColor: [0, 0, 0, 1],
    crosshairColor: [1, 1, 1, 0.5],
    crosshairWidthUnit: "mm",
    crosshairWidth: 1,
    isRadiologicalConvention: true,
    dragAndDropEnabled: false,
    multiplanarShowRender: niivue.SHOW_RENDER.NEVER,
  });
  await nv.attachToCanvas(part("canvas"));

  const layers = ["truth", "prediction"];
  const channel = (colours, from) =>
    [0, ...colours.map((colour) => parseInt(colour.slice(from, from + 2), 16))];
  const colours = (layer) => ({
    R: channel(given.colours[layer], 1),
    G: channel(given.colours[layer], 3),
    B: channel(given.colours[layer], 5),
    A: [0, ...given.colours[layer].map(() => 255)],
    I: [0, ...given.colours[layer].map((_, index) => index + 1)],
    labels: ["", ...given.structures],
  });
  const opacity = (layer) =>
    part(`${layer}-shown`).checked ? Number(part(`${layer}-opacity`).value) : 0;

  const show = async (index) => {
    const one = given.cases[index];
    while (nv.volumes.length) nv.removeVolume(nv.volumes[0]);
    nv.addVolume(await niivue.NVImage.loadFromBase64({
      base64: one.image, name: "image.nii.gz", colormap: "gray", cal_min: 0, cal_max: 255,
    }));
    for (const layer of layers) {
      const volume = await niivue.NVImage.loadFromBase64({
        base64: one[layer], name: `${layer}.nii.gz`, opacity: opacity(layer),
      });
      volume.setColormapLabel(colours(layer));
      nv.addVolume(volume);
    }
    nv.setSliceType(one.flat === null ? nv.sliceTypeMultiplanar
      : [nv.sliceTypeSagittal, nv.sliceTypeCoronal, nv.sliceTypeAxial][one.flat]);
    nv.scene.crosshairPos = nv.mm2frac(one.focus);
    nv.updateGLVolume();
    part("about").textContent = one.about;
    viewer.dataset.shown = String(index);
  };

  part("case").addEventListener("change", (event) => show(Number(event.target.value)));
  layers.forEach((layer, place) => {
    for (const name of ["shown", "opacity"]) {
      part(`${layer}-${name}`).addEventListener("input", () =>
        nv.setOpacity(place + 1, opacity(layer)));
    }
  });
  await show(0);
  part("without").hidden = true;
})();
