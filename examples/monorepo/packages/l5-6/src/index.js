export const part = "l5-6";
