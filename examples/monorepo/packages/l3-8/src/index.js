export const part = "l3-8";
