export const part = "l5-5";
