export const part = "l5-7";
