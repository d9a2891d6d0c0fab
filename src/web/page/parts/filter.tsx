import { printable } from "../format.ts";
import { addressOf, type Filter } from "../route.ts";

/** A field of a filter. `textOf` makes the label of a value; by default that is the value. */
type FilterField = readonly [
  name: string,
  label: string,
  values: readonly string[],
  textOf?: (value: string) => string,
];

/** Fields that filter a list. The filter is part of the address, so that it can be shared and survives a reload. */
export function FilterBar({
  path,
  filter,
  fields,
}: {
  readonly path: string;
  readonly filter: Filter;
  readonly fields: readonly FilterField[];
}) {
  return (
    <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      {fields.map(([name, label, values, textOf = printable]) => {
        const chosen = filter[name] ?? "";
        const all = chosen === "" || values.includes(chosen) ? values : [chosen, ...values];
        return (
          <label key={name}>
            <span>{label}</span>
            <select
              value={chosen}
              onChange={(event) => {
                location.hash = addressOf(path, { ...filter, [name]: event.currentTarget.value });
              }}
            >
              <option value="">All</option>
              {all.map((value) => (
                <option key={value} value={value}>
                  {textOf(value)}
                </option>
              ))}
            </select>
          </label>
        );
      })}
      {Object.keys(filter).length > 0 && <a href={addressOf(path)}>Clear</a>}
    </form>
  );
}
