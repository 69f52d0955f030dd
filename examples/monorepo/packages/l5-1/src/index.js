export const part = "l5-1";
