export const part = "l3-1";
