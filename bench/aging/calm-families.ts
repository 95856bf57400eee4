/** The leaks once more with a quarter of the noise: what of the errors is the noise's, and what the model's. */
import { type Family, families } from "./families.ts";
import { noiseUsual } from "./generate.ts";
import { unseenFamilies } from "./unseen-families.ts";

const share = 0.25;

export const calmFamilies: readonly Family[] = [...families, ...unseenFamilies]
  .filter(({ ages }) => ages)
  .map((family): Family => {
    const [from, to] = family.noise ?? noiseUsual;
    return { ...family, name: `${family.name}, calm`, calm: true, noise: [share * from, share * to] };
  });
