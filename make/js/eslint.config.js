// What eslint holds the page's JavaScript to: its recommended rules, and what keeps texts from becoming markup.
import js from "@eslint/js";
import globals from "globals";

const STATIC = "dashboard/leakear/dashboard/static";
const MARKUP = "Build elements with h() of js/dom.js: what a node sends must never become markup.";

export default [
  { ignores: [`${STATIC}/vendor/**`] },
  {
    ...js.configs.recommended,
    files: [`${STATIC}/**/*.js`],
    languageOptions: { ecmaVersion: 2024, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      ...js.configs.recommended.rules,
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "all" }],
      "no-unused-expressions": ["error", { allowTernary: true, allowShortCircuit: true }],
      "no-implicit-globals": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-var": "error",
      "prefer-const": "error",
      eqeqeq: "error",
      "no-restricted-properties": ["error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML"].map((property) => ({ property, message: MARKUP })),
        { object: "document", property: "write", message: MARKUP }],
    },
  },
];
