export const part = "l5-3";
