export const part = "l5-8";
