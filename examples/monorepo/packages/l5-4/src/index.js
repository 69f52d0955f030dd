export const part = "l5-4";
