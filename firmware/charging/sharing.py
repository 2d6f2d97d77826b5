"""One current for several connectors: the sum of the shares never exceeds it (OCPP 1.6 §3.13.3)."""


def split(total, wants):
    """Returns a share in mA for each (least, most) of `wants`, in mA too; 0 where it is not enough for `least`.

    As many as possible are served, the first ones first; what is left over is divided evenly among those that can
    take more.
    """
    shares = []
    for least, most in wants:
        served = least <= total and least <= most
        shares.append(least if served else 0)
        total -= shares[-1]
    hungry = sorted([most - share, i] for i, (share, (_, most)) in enumerate(zip(shares, wants)) if share)
    for k, (room, i) in enumerate(hungry):
        more = min(room, total // (len(hungry) - k))
        shares[i] += more
        total -= more
    return shares
