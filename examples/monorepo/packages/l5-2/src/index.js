export const part = "l5-2";
