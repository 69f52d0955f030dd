export const part = "l5-0";
