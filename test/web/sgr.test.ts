import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseLine, plainText } from "../../src/web/page/log/sgr.ts";

const ESC = "\u001b";

describe("parseLine", () => {
  test.each([
    ["plain text", "npm ci", [["npm ci", ""]]],
    ["an empty line", "", []],
    [
      "a colour",
      `${ESC}[31mred${ESC}[0m not`,
      [
        ["red", "fg-1"],
        [" not", ""],
      ],
    ],
    ["a bright colour and bold", `${ESC}[1;92mok`, [["ok", "sgr-bold fg-10"]]],
    ["a background", `${ESC}[30;43mwarn${ESC}[m`, [["warn", "fg-0 bg-3"]]],
    [
      "bold that ends",
      `${ESC}[1mA${ESC}[22mB`,
      [
        ["A", "sgr-bold"],
        ["B", ""],
      ],
    ],
    [
      "underlined text that ends",
      `${ESC}[4mA${ESC}[24mB`,
      [
        ["A", "sgr-underline"],
        ["B", ""],
      ],
    ],
    [
      "inverse text",
      `${ESC}[7mA${ESC}[27mB`,
      [
        ["A", "fg-base bg-base"],
        ["B", ""],
      ],
    ],
    ["inverse text in a colour", `${ESC}[31;7mA`, [["A", "fg-base bg-1"]]],
    ["a colour of 256", `${ESC}[38;5;196mA`, [["A", "fg-9"]]],
    ["a grey of 256", `${ESC}[38;5;244mA`, [["A", "fg-8"]]],
    ["a colour in red, green and blue", `${ESC}[38;2;0;0;200mA`, [["A", "fg-4"]]],
    ["the same with colons", `${ESC}[48:5:2mA`, [["A", "bg-2"]]],
    [
      "the default colours",
      `${ESC}[31;41mA${ESC}[39;49mB`,
      [
        ["A", "fg-1"],
        ["B", ""],
      ],
    ],
    ["unknown parameters", `${ESC}[5;77;3mA`, [["A", "sgr-italic"]]],
  ] as const)("%s", (_what, line, spans) => {
    expect(parseLine(line)).toEqual(spans.map(([text, style]) => ({ text, style })));
  });

  test("shows concealed text, and text in the colour of its background", () => {
    expect(parseLine(`${ESC}[8msecret`)).toEqual([{ text: "secret", style: "" }]);
    expect(parseLine(`${ESC}[31;41mhidden`)).toEqual([{ text: "hidden", style: "fg-1" }]);
  });

  test.each([
    ["cursor movement", `a${ESC}[2K${ESC}[1Gb`, "ab"],
    ["a title", `${ESC}]0;title\u0007text`, "text"],
    ["a hyperlink", `${ESC}]8;;https://example.com${ESC}\\link${ESC}]8;;${ESC}\\`, "link"],
    ["a device control string", `${ESC}Pq#0${ESC}\\x`, "x"],
    ["an unfinished sequence", `a${ESC}[31`, "a"],
    ["a lone escape", `a${ESC}`, "a"],
  ])("removes %s", (_what, line, text) => {
    expect(plainText(line)).toBe(text);
  });

  test.each([
    ["a progress display", "10%\r50%\r100%\r", "100%"],
    ["one whose returns arrived as newlines", "10%\n50%\n100%", "100%"],
    ["a tab", "a\tb", "a        b"],
    ["a NUL and a DEL", "a\u0000b\u007f", "a\u2400b\u2421"],
    ["a right-to-left override", "a\u202eb", "a\\u202eb"],
  ])("shows %s", (_what, line, text) => {
    expect(plainText(line)).toBe(text);
  });

  test("leaves no control character and no markup interpreted, whatever the line", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (line) => {
        const spans = parseLine(line);
        expect(spans.map(({ text }) => text).join("")).not.toMatch(/\p{Cc}|\u202e/u);
        for (const { style } of spans) expect(style).toMatch(/^(?:(?:fg|bg)-(?:\d+|base)|sgr-\w+| )*$/);
      }),
    );
  });
});
