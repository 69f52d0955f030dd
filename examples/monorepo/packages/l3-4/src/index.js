export const part = "l3-4";
