/** A column name, quoted for Lance's SQL dialect. Column names hold no backtick. */
export function quotedName(name: string): string {
  return `\`${name}\``;
}

/** A text literal of Lance's SQL dialect, which knows one escape: a doubled quote. */
export function textLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
